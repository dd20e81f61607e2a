"""A page that needs nothing but itself: no network, no scripts."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import polars as pl


def web_page(title: str, style: str, body: str) -> str:
    """An HTML document of `body`, which is HTML; `title` is text. Nothing in it may be fetched."""
    return _PAGE.format(title=text(title), style=style, body=body)


def web_table(
    frame: pl.DataFrame, shown: Callable[[Any, str], str], *, most: int, note: str = ""
) -> str:
    """The first rows of a frame, each value as `shown` says it, and of how many when not all.

    `note` is text that follows the number of rows.
    """
    if frame.is_empty():
        return "<p>Nothing to show.</p>"
    heads = "".join(f"<th>{text(name.replace('_', ' '))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{text(shown(value, name))}</td>"
            for name, value in zip(frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in frame.head(most).iter_rows()
    )
    more = f"<p>{most} of {frame.height:,} rows.{text(note)}</p>" if frame.height > most else ""
    return (
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}"
    )


def text(said: str) -> str:
    """`said` with nothing in it that could be markup, and a mark for what cannot be seen."""
    seen = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in said)
    return escape(seen)


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
