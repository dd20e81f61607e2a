"""Names in XML documents."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def allowed(text: str) -> str:
    """`text` with "\N{REPLACEMENT CHARACTER}" for each character that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def document(root: ElementTree.Element) -> str:
    """`root` as an indented XML document, declared to be in UTF-8."""
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    # In content, a bare carriage return would be read back as a line feed.
    body = body.replace("\r", "&#13;")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
