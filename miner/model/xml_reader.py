"""Definitions in XML, read so that a hostile file can do no harm."""

from __future__ import annotations

from typing import Any

from miner.errors import ModelError

MOST_BYTES = 50_000_000
"""No model drawn by people comes near it."""


def parse_xml(text: str, what: str) -> Any:
    """The outermost element of `text`, an element of lxml.

    `what` names the format in messages. Raises ModelError for text that is too large, empty, no
    XML, cut off, nested deeper than 256 elements, or that declares a document type: without one, no
    entity but the five of XML can be declared, and nothing is ever fetched.
    """
    from lxml import etree

    if not text.strip():
        raise ModelError(f"The {what} document is empty.", hint="Check the file.")
    if len(text) > MOST_BYTES:
        raise ModelError(
            f"The {what} document has {len(text):,} characters; {MOST_BYTES:,} are the most.",
            hint="Export the process alone, without others and without attachments.",
        )
    if _declares_document_type(text):
        raise ModelError(
            f"The {what} document declares a document type (<!DOCTYPE …>), which models never "
            "need.",
            hint="Remove the declaration, unless the file came from somebody you do not trust.",
        )
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.lstrip("\ufeff \t\r\n").encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        reason = getattr(error, "msg", None) or str(error)
        raise ModelError(
            f"The {what} document is not well-formed XML: {reason}.",
            hint="It is cut off, damaged, or in another format.",
        ) from error


def local_name(element: Any) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def namespace(element: Any) -> str:
    """The namespace of an element, empty when it has none."""
    return str(element.tag)[1:].partition("}")[0] if str(element.tag).startswith("{") else ""


def _declares_document_type(text: str) -> bool:
    """Whether `<!DOCTYPE` stands before the first element."""
    at = 0
    while (at := text.find("<", at)) >= 0:
        if text.startswith("<!--", at):
            at = text.find("-->", at)
        elif text.startswith("<?", at):
            at = text.find("?>", at)
        else:
            return text[at : at + 9].upper() == "<!DOCTYPE"
        if at < 0:
            return False
    return False
