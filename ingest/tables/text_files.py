"""Text in files: unpacked, decoded to UTF-8 and surveyed, in constant memory."""

from __future__ import annotations

import codecs
import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.source import Note
from ingest.sql import literal
from ingest.unpack import packing, unpacked
from miner.errors import InputError, LogFormatError, UnknownNameError

CHUNK = 4 << 20
SAMPLE = 256 << 10
TELLING_LINES = 2_000
"""Lines with other than ASCII characters that decide what encoding a text is in."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
ENCODINGS = ("utf-8", "utf-16", "windows-1252", "latin-1", "iso-8859-15", "cp850", "shift_jis")

OTHER_FORMATS = (
    (b"PAR1", "a Parquet file", "Load it with `procession load parquet`."),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "Unpack it, or save it as CSV first."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "Save it as CSV first."),
    (b"<?xml", "an XML file", "Event logs in XML load with `procession load xes`."),
    (b"SQLite format 3", "a SQLite database", "Export the table as CSV first."),
)


@dataclass
class Survey:
    """What a pass over the bytes of a text counted."""

    size: int = 0
    newlines: int = 0
    returns: int = 0
    pairs: int = 0
    """Returns followed by a newline."""
    blank_lines: int = 0
    nuls: int = 0
    last: bytes = b"\n"
    """The last two bytes, as if a line had ended before the text."""

    def add(self, chunk: bytes) -> None:
        """Count what the next bytes of the text hold."""
        joined = self.last + chunk
        self.size += len(chunk)
        self.newlines += chunk.count(b"\n")
        self.nuls += chunk.count(b"\0")
        returns = chunk.count(b"\r")
        self.returns += returns
        if returns or b"\r" in self.last:
            self.pairs += joined[len(self.last) - 1 :].count(b"\r\n")
            blank = re.finditer(rb"(?<=\n)\r?\n|(?<=\r)\r", joined)
            self.blank_lines += sum(line.end() > len(self.last) for line in blank)
        elif b"\n\n" in joined:
            blank = re.finditer(rb"(?<=\n)\n", joined)
            self.blank_lines += sum(line.end() > len(self.last) for line in blank)
        self.last = joined[-2:]

    @property
    def mixed(self) -> bool:
        """Whether there are returns with a newline and others, be it inside of values."""
        return 0 < self.pairs < max(self.newlines, self.returns)

    @property
    def line_ends(self) -> int:
        """How many lines end, be it with a newline, a return or both."""
        return self.newlines + self.returns - self.pairs


@dataclass(frozen=True)
class TextFile:
    """A text in UTF-8 on disk."""

    path: Path
    survey: Survey
    sample: str
    """The first characters, without a byte order mark."""
    notes: tuple[Note, ...] = ()
    valid: bool = True
    """Whether all bytes are UTF-8; if not, some lines are in another encoding."""


def open_text(path: str, folder: Path, encoding: str | None = None) -> TextFile:
    """The text of the file at `path`, unpacked and in UTF-8; copies it needs go into `folder`.

    An encoding that is not given is taken from the byte order mark, is UTF-8 if every byte fits,
    and else is what charset-normalizer proposes, which a note says. LogFormatError if the file is
    empty, cut off, another format, or unpacks to far more than a log would.
    """
    plain = existing_file(path)
    if packing(plain):
        plain = _write(folder / "unpacked.txt", unpacked(plain))
    with plain.open("rb") as stream:
        head = stream.read(SAMPLE)
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        raise LogFormatError(f"The file {path!r} is empty.", hint="It holds no events.")
    for magic, what, hint in OTHER_FORMATS:
        if head.startswith(magic):
            raise LogFormatError(f"{path!r} is {what}, not plain text.", hint=hint)
    chosen, mark, notes = _declared(head, encoding)
    if chosen in (None, "utf-8"):
        survey = _survey(plain)
        if survey is not None:
            return _text(plain, survey, notes)
        if chosen is None:
            chosen, notes = _proposed(path, plain)
        if chosen == "utf-8":
            survey = Survey()
            for chunk in _chunks(plain):
                survey.add(chunk)
            return replace(_text(plain, survey, notes or (MIXED,)), valid=False)
    assert chosen is not None
    copy = _write(folder / "decoded.txt", _recoded(path, plain, chosen, mark))
    survey = _survey(copy)
    assert survey is not None
    return _text(copy, survey, notes)


MIXED = Note("encoding", "UTF-8, but some lines are not, and are rejected one by one")


def existing_file(path: str) -> Path:
    """The path, if a file that can be read is there; else an InputError says why not."""
    found = Path(path).expanduser()
    try:
        if found.is_dir():
            raise InputError(f"{path!r} is a folder.", hint="Give one file.")
        with found.open("rb"):
            return found
    except FileNotFoundError:
        raise InputError(f"There is no file {path!r}.", hint="Check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The file {path!r} cannot be read: {reason}.") from None


def path_in_sql(path: Path, folder: Path) -> str:
    """The path as a literal that DuckDB does not take for a pattern; `folder` may get a link."""
    if not set("*?[]{}") & set(str(path.absolute())):
        return literal(str(path.absolute()))
    link = folder / f"file-{len(list(folder.iterdir()))}"
    link.symlink_to(path.absolute())
    return literal(str(link))


def with_newlines(text: TextFile, folder: Path, *, lone_returns: bool = True) -> TextFile:
    """A copy of the text whose lines end in a newline instead of a return and a newline.

    With `lone_returns`, returns on their own are taken for line ends too.
    """

    def chunks() -> Iterator[bytes]:
        held = b""
        for chunk in _chunks(text.path):
            chunk, held = held + chunk, b""
            if chunk.endswith(b"\r"):
                chunk, held = chunk[:-1], b"\r"
            chunk = chunk.replace(b"\r\n", b"\n")
            yield chunk.replace(b"\r", b"\n") if lone_returns else chunk
        yield held.replace(b"\r", b"\n") if lone_returns else held

    copy = _write(folder / f"newlines-{lone_returns}.txt", chunks())
    survey = Survey()
    for chunk in _chunks(copy):
        survey.add(chunk)
    notes = text.notes
    if lone_returns:
        notes += (Note("line ends", "of more than one kind, all taken for line ends"),)
    return replace(_text(copy, survey, notes), valid=text.valid)


def without_head(text: TextFile, head: str, folder: Path) -> Path:
    """A copy of the text without `head`, the characters it begins with."""
    skipped = len(head.encode())
    with text.path.open("rb") as stream:
        skipped += 3 if stream.read(3) == codecs.BOM_UTF8 else 0
    return _write(folder / "rows.txt", _chunks(text.path, skipped))


def _text(path: Path, survey: Survey, notes: tuple[Note, ...]) -> TextFile:
    with path.open("rb") as stream:
        head = stream.read(SAMPLE)
    sample = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(head)
    return TextFile(path, survey, sample, notes)


def _chunks(path: Path, skipped: int = 0) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(skipped)
        while chunk := stream.read(CHUNK):
            yield chunk


def _write(path: Path, chunks: Iterable[bytes]) -> Path:
    with _room(path), path.open("wb") as target:
        for chunk in chunks:
            target.write(chunk)
    return path


@contextmanager
def _room(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"The disk is full: the text does not fit into {str(path.parent)!r}.",
            hint="Free some space, or name a roomier folder in TMPDIR.",
        ) from None


def _survey(path: Path) -> Survey | None:
    """The survey of a text in UTF-8; None if it is not in UTF-8."""
    survey, decoder = Survey(), codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
            survey.add(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return survey


def _declared(head: bytes, given: str | None) -> tuple[str | None, int, tuple[Note, ...]]:
    """The encoding as given, by its mark or by its zero bytes; the length of the mark; notes."""
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark) and (given is None or _same_family(given, name)):
            note = Note("encoding", f"{name}, by its byte order mark")
            return name, len(mark), () if name == "utf-8" else (note,)
    if given is not None:
        try:
            "".encode(given)
            return codecs.lookup(given).name, 0, ()
        except LookupError:
            raise UnknownNameError("encoding", given, ENCODINGS) from None
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.4 * len(zeros) and head.count(0) < 0.6 * len(head):
            return name, 0, (Note("encoding", f"{name}, because every other byte is zero"),)
    return None, 0, ()


def _same_family(given: str, marked: str) -> bool:
    return marked.replace("-", "").startswith(given.lower().replace("-", "").replace("_", "")[:5])


def _proposed(path: str, plain: Path) -> tuple[str, tuple[Note, ...]]:
    """The encoding of a text that is not UTF-8 throughout, judged by lines that are not ASCII."""
    from charset_normalizer import from_bytes

    lines = _telling_lines(plain)
    if any(_is_utf8(line) for line in lines):
        return "utf-8", (MIXED,)
    matches = from_bytes(b"\n".join(lines))
    likely = {match.encoding: match for match in matches}
    best = likely.get("cp1252") or matches.best()
    if best is None:
        raise LogFormatError(
            f"The text of {path!r} is neither UTF-8 nor any other encoding that can be told.",
            hint=f"Say which with --encoding, for example {', '.join(ENCODINGS[2:4])}.",
        )
    readings = {str(match) for match in matches}
    text = f"{best.encoding}, because it is not UTF-8 and this fits best"
    if len(readings) > 1:
        others = sorted({match.encoding for match in matches} - {best.encoding})[:3]
        text += f"; {', '.join(others)} would fit too, --encoding decides"
    return best.encoding, (Note("encoding", text),)


def _telling_lines(path: Path) -> list[bytes]:
    found: list[bytes] = []
    rest = b""
    for chunk in _chunks(path):
        body, _, rest = (rest + chunk).rpartition(b"\n")
        found += re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", body)
        if len(found) >= TELLING_LINES:
            return found[:TELLING_LINES]
    return found + re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", rest)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _recoded(path: str, plain: Path, encoding: str, mark: int) -> Iterator[bytes]:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        for chunk in _chunks(plain, mark):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise LogFormatError(
            f"The text of {path!r} is not {encoding}: {error}.",
            hint="Give the right --encoding, or none to let it be told from the text.",
        ) from None
