"""XML as a stream of elements, read so that a hostile file can do no harm."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from lxml import etree

from ingest.xes.unpack import unpacked
from miner.errors import LogFormatError

MAX_DEPTH = 100
MAX_GAP = 1 << 26
"""Bytes from the end of one event, trace or object to the end of the next."""


class XmlTarget:
    """Receives the elements of a file; formats derive from it."""

    path: Path
    depth: int = 0
    read: int = 0
    """Bytes of the file that were read, unpacked."""
    seen: int = 0
    """Grows with every event, trace or object that ended."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        raise NotImplementedError

    def end(self, tag: str) -> None:
        """An element ends."""
        raise NotImplementedError

    def doctype(self, name: str, *_: str | None) -> NoReturn:
        """The file declares a document type, which is refused."""
        if name.lower() == "html":
            raise _web_page(self.path)
        raise LogFormatError(
            f"{self.path} declares a document type (<!DOCTYPE …>), which event logs never need.",
            hint="Remove the declaration, unless the file came from somebody you do not trust.",
        )

    def finish(self) -> None:
        """The file ended and was well-formed."""

    def close(self) -> None:
        """lxml calls this after the last element, but after an error too: nothing is done here."""


def parse(path: Path, target: XmlTarget) -> None:
    """Send the elements of `path`, packed or not, to `target`.

    Raises LogFormatError where the file is not well-formed to its last byte, is not in the encoding
    it declares, declares a document type, nests deeper than `MAX_DEPTH`, has an attribute above 10
    million characters or nothing to tell for `MAX_GAP` bytes. No entity is declared, so none is
    resolved, and nothing is fetched.
    """
    target.path = path
    # without "internal", libxml2 hands `&amp;` on as `&#38;`; with any document type refused,
    # no entity but the five of XML is ever declared
    parser = etree.XMLParser(
        target=target,
        resolve_entities="internal",
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=False,
    )
    seen = waiting = 0
    head = b""
    try:
        for chunk in unpacked(path):
            head = head or chunk[:1024]
            target.read += len(chunk)
            parser.feed(chunk)
            waiting = waiting + len(chunk) if target.seen == seen else 0
            seen = target.seen
            if waiting > MAX_GAP:
                raise LogFormatError(
                    f"{path} goes on for {waiting:,} bytes without the end of an event.",
                    hint="No event is that large: the file is damaged or meant to do harm.",
                )
        parser.close()
        target.finish()
    except etree.XMLSyntaxError as error:
        raise _not_xml(path, head, error) from error


def local_name(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def wrong_root(path: Path, name: str, expected: str, hint: str) -> LogFormatError:
    """The error for a file that is something else."""
    if name.lower() == "html":
        return _web_page(path)
    return LogFormatError(
        f"{path} is not {expected}: its outermost element is <{name}>.", hint=hint
    )


def _web_page(path: Path) -> LogFormatError:
    return LogFormatError(
        f"{path} is a web page, not an event log.",
        hint="A download that needs a login often ends in such a page; fetch the file itself.",
    )


def _not_xml(path: Path, head: bytes, error: etree.XMLSyntaxError) -> LogFormatError:
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype html")):
        return _web_page(path)
    if not start.startswith(b"<"):
        return LogFormatError(
            f"{path} is not XML: it starts with {start[:20]!r}.", hint="Check the file's format."
        )
    return LogFormatError(
        f"{path} is not well-formed XML: {error.msg}.",
        hint="It is cut off or damaged; nothing of it was loaded.",
    )
