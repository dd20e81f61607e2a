"""A page that needs nothing but itself: no network, no scripts."""

from __future__ import annotations

from html import escape


def web_page(title: str, style: str, body: str) -> str:
    """An HTML document of `body`, which is HTML; `title` is text. Nothing in it may be fetched."""
    seen = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in title)
    return _PAGE.format(title=escape(seen), style=style, body=body)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
