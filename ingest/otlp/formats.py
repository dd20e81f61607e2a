"""Which format traces are written in, and their spans whichever it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from ingest.otlp.jaeger import spans_of_jaeger
from ingest.otlp.json import spans_of_json
from ingest.otlp.protobuf import spans_of_protobuf
from ingest.otlp.zipkin import spans_of_zipkin
from ingest.unpack import CHUNK, packing, unpacked
from miner.errors import LogFormatError

PIECE = 16 << 20
"""Bytes of lines that are decoded at once."""
LONGEST = 1 << 30
"""Bytes of one document; longer files have a document on each line."""

# Not the first byte alone: a protobuf message of traces may start with a line feed and a brace.
_JSON = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:"[^"\x00-\x1f]|\})|\[\s*[\[\]{]|"[^"\x00-\x1f])'
)
_OTHERS = {
    rb'"resourceLogs"': "log records",
    rb'"resourceMetrics"': "metrics",
    rb'"specversion"': "a CloudEvent",
    rb'"probabilisticSampling"|"service_strategies"|"default_strategy"': "sampling strategies",
}
_ADVICE = (
    "Spans come as OTLP (JSON, JSON lines, protobuf), as Jaeger's API and screens save them, "
    "or as Zipkin's API gives them."
)


def spans_of(raw: bytes) -> pl.DataFrame:
    """The spans in recorded bytes, with the columns of `SPAN`; raises ValueError for none such.

    The bytes are one protobuf message, one JSON document, or JSON documents line by line.
    """
    if not _is_json(raw):
        return spans_of_protobuf(raw)
    decode = _decoder(raw)
    if decode is None:
        raise ValueError("no spans in it")
    return decode(_lines(raw))


def frames_of(path: Path) -> Iterator[pl.DataFrame]:
    """The spans of a file piece by piece, with the columns of `SPAN`.

    Raises LogFormatError with what the file holds instead when it holds no spans.
    """
    chunks = unpacked(path) if packing(path) else _plain(path)
    first = next(chunks, b"")
    if not first.strip():
        raise LogFormatError(f"The file {str(path)!r} is empty.", hint=_ADVICE)
    chunks = chain([first], chunks)
    found = 0
    if _is_json(first):
        for frame in _json_frames(chunks, path):
            found += frame["reason"].null_count()
            yield frame
    else:
        frame = _protobuf(b"".join(chunks), path)
        found = frame["reason"].null_count()
        yield frame
    if not found:
        raise LogFormatError(f"The file {str(path)!r} holds no spans.", hint=_ADVICE)


def _json_frames(chunks: Iterator[bytes], path: Path) -> Iterator[pl.DataFrame]:
    for number, piece in enumerate(_pieces(chunks, path)):
        decode = _decoder(piece)
        if decode is None and number:
            continue
        if decode is None:
            raise LogFormatError(f"The file {str(path)!r} holds {_instead(piece)}.", hint=_ADVICE)
        yield decode(_lines(piece))


def _pieces(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Whole lines of a file of lines, or the one document of a file that is one."""
    held = b""
    lined: bool | None = None
    for chunk in chunks:
        held += chunk
        if lined is None and b"\n" in held:
            lined = _is_line(held.lstrip().split(b"\n", 1)[0])
        if lined and len(held) >= PIECE:
            whole, _, held = held.rpartition(b"\n")
            yield whole
        if len(held) > LONGEST:
            raise LogFormatError(
                f"The file {str(path)!r} is one JSON document of over {LONGEST >> 20} MB.",
                hint="Write it as JSON lines: one document on each line.",
            )
    if held.strip():
        yield held


def _lines(piece: bytes) -> pl.Series:
    """A document on each line, or the whole as one document."""
    text = piece.decode("utf-8-sig", errors="replace")
    first = text.lstrip().split("\n", 1)[0]
    if _is_line(first.encode()):
        return pl.Series("line", text.splitlines(), dtype=pl.String)
    return pl.Series("line", [text], dtype=pl.String)


def _is_line(line: bytes) -> bool:
    """Whether a line is a document of its own, as far as its ends show."""
    line = line.strip()
    return (line[:1], line[-1:]) in ((b"{", b"}"), (b"[", b"]")) and len(line) > 2


def _is_json(raw: bytes) -> bool:
    return _JSON.match(raw) is not None


def _decoder(piece: bytes) -> Callable[[pl.Series], pl.DataFrame] | None:
    if b'"resourceSpans"' in piece:
        return spans_of_json
    if b'"traceID"' in piece and b'"spans"' in piece:
        return spans_of_jaeger
    if piece.lstrip()[:1] == b"[" and b'"traceId"' in piece and b'"id"' in piece:
        return spans_of_zipkin
    return None


def _instead(piece: bytes) -> str:
    for mark, name in _OTHERS.items():
        if re.search(mark, piece):
            return f"{name}, no spans"
    if b'"operationName"' in piece:
        return "spans as Jaeger keeps them inside, which its API gives otherwise"
    return "no spans"


def _protobuf(raw: bytes, path: Path) -> pl.DataFrame:
    try:
        return spans_of_protobuf(raw)
    except ValueError as error:
        raise LogFormatError(
            f"The file {str(path)!r} is neither JSON nor a protobuf message of traces.",
            hint=_ADVICE,
        ) from error


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
