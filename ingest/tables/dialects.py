"""How a CSV text is written: its delimiter and quote, and the names in its first line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.source import Note
from miner.errors import InputError, LogFormatError

USUAL = (",", ";", "\t", "|")
UNUSUAL = ("^", "~", "\x1f", "\x01", "¦", "§")
"""Tried when none of the usual ones splits the lines."""
SPOKEN = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
LOOKED_AT = 500
"""Records that decide the dialect; the whole file is checked against it later."""


@dataclass(frozen=True)
class Dialect:
    """A dialect and what stands before the first row."""

    delimiter: str
    quote: str
    escape: str
    names: tuple[str, ...]
    """The fields of the first record."""
    head: str
    """The characters before the first row."""
    notes: tuple[Note, ...] = ()

    @property
    def line_end(self) -> str:
        """What ends the first record; line ends inside values may be others."""
        return "\r\n" if self.head.endswith("\r\n") else self.head[-1:]

    @property
    def head_is_one_line(self) -> bool:
        """Whether nothing but one line of names stands before the first row."""
        return len(self.head.splitlines()) == 1


def dialect_of(sample: str, path: str, delimiter: str | None, quote: str | None) -> Dialect:
    """The dialect of the text that `sample` begins, as given or as it splits the records best.

    InputError for a delimiter or quote that is not one character; LogFormatError if no delimiter
    gives more than one column.
    """
    blank, body = _leading_blanks(sample)
    announced = re.match(r"sep=(.)\r?\n", body)  # Excel's way to name the delimiter
    if announced:
        delimiter = delimiter or announced[1]
        body = body[announced.end() :]
        blank += announced[0]
    given = _one_character(delimiter, "--delimiter")
    marks = "" if quote == "none" else _one_character(quote, "--quote")
    quotes = _quotes_in(body) if marks is None else (marks,)
    best = _best(body, (given,) if given else USUAL, quotes)
    if best is None and not given:
        best = _best(body, UNUSUAL, quotes)
    if best is None:
        raise _one_column(body, path, given)
    chosen, mark, escape = best
    names, lines = _first_record(body, chosen, mark, escape)
    notes = [] if given else [Note("delimiter", repr(chosen))]
    if not quote and mark != '"':
        notes.append(Note("quote", mark))
    if escape != mark:
        notes.append(Note("quote", f"{mark} inside values is written {escape}{mark}"))
    return Dialect(chosen, mark, escape, tuple(names), blank + lines, tuple(notes))


def _leading_blanks(sample: str) -> tuple[str, str]:
    blank = re.match(r"(?:[ \t]*(?:\r\n|\n|\r))*", sample)
    assert blank is not None
    return blank[0], sample[blank.end() :]


def _one_character(given: str | None, flag: str) -> str | None:
    if given is None:
        return None
    character = SPOKEN.get(given.lower(), given)
    if len(character) != 1 or character in "\r\n":
        raise InputError(f"{flag} {given!r} is not one character.", hint="Use 'tab' for a tab.")
    return character


def _quotes_in(body: str) -> tuple[str, ...]:
    """Quotes to try: single ones only where no double one opens a value."""
    if re.search(r'(?:^|[,;\t|])\s?"', body, re.MULTILINE):
        return ('"',)
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=$|[,;\t|\r])", body, re.MULTILINE))
    return ("'",) if single > body.count("\n") else ('"',)


def _best(
    body: str, delimiters: tuple[str, ...], quotes: tuple[str, ...]
) -> tuple[str, str, str] | None:
    """Delimiter, quote and escape under which most records are as wide as the first."""
    found: list[tuple[float, int, tuple[str, str, str]]] = []
    for delimiter in delimiters:
        for quote in quotes:
            for escape in (quote, "\\") if quote and f"\\{quote}" in body else (quote,):
                widths = _widths(body, delimiter, quote, escape)
                if widths and widths[0] > 1:
                    alike = sum(width == widths[0] for width in widths) / len(widths)
                    found.append((alike, widths[0], (delimiter, quote, escape)))
    return max(found, key=lambda each: each[:2])[2] if found else None


def _widths(body: str, delimiter: str, quote: str, escape: str) -> list[int]:
    widths = []
    try:
        for record in _records(io.StringIO(body, newline=""), delimiter, quote, escape):
            if record:
                widths.append(len(record))
            if len(widths) > LOOKED_AT:
                return widths
    except csv.Error:
        pass  # what was read until then is enough to judge by
    return widths[:-1] if len(widths) > 2 else widths  # the sample may end within a record


def _records(lines: Iterable[str], delimiter: str, quote: str, escape: str) -> Iterator[list[str]]:
    if not quote:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    doubled = escape == quote
    return csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote,
        doublequote=doubled,
        escapechar=None if doubled else escape,
    )


def _first_record(body: str, delimiter: str, quote: str, escape: str) -> tuple[list[str], str]:
    """The fields of the first record, and the characters it takes up."""
    used: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(body, newline=""):
            used.append(line)
            yield line

    try:
        return next(_records(lines(), delimiter, quote, escape)), "".join(used)
    except csv.Error as error:
        raise LogFormatError(f"The line of column names cannot be read: {error}.") from None


def _one_column(body: str, path: str, given: str | None) -> LogFormatError:
    first = body.splitlines()[0][:80] if body.strip() else ""
    by = f" when split at {given!r}" if given else ""
    return LogFormatError(
        f"{path!r} has one column only{by}, {first!r}, and a log needs three.",
        hint="Say with --delimiter what stands between the columns.",
    )
