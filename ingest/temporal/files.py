"""The histories in a file of JSON, in each of the shapes that Temporal's programs write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

from miner.errors import LogFormatError

HINT = "Write one with: temporal workflow show --workflow-id ID --output json > history.json"

History = list[dict[str, Any]]


def histories(path: Path) -> Iterator[History]:
    """The events of each history: an object with `events`, a list of those, or one in each line.

    Raises LogFormatError when there is none, or one that is damaged.
    """
    with _opened(path) as file:
        first = file.readline()
        whole = _parsed(first)
        if whole is None:
            yield from _all_of(path, first + file.read())
            return
        yield from _found(path, whole, 1)
        for number, line in enumerate(file, 2):
            if line.strip():
                value = _parsed(line)
                if value is None:
                    raise LogFormatError(f"Line {number} of {path} is no JSON.", hint=HINT)
                yield from _found(path, value, number)


def _all_of(path: Path, text: bytes) -> Iterator[History]:
    value = _parsed(text)
    if value is None:
        raise LogFormatError(f"{path} is no JSON.", hint=HINT)
    yield from _found(path, value, 1)


def _parsed(text: bytes) -> Any:
    """Null for what is no JSON."""
    try:
        return parser()(text)
    except (ValueError, RecursionError):
        return None


@cache
def parser() -> Callable[[bytes], Any]:
    """The parser of the extra, four times as fast, where it is installed."""
    try:
        import orjson
    except ImportError:
        return json.loads
    return orjson.loads


def _found(path: Path, value: Any, line: int) -> Iterator[History]:
    if isinstance(value, list) and value and _are_events(value):
        yield _ordered(path, value)
        return
    for item in value if isinstance(value, list) else [value]:
        found = item.get("history", item) if isinstance(item, dict) else None
        events = found.get("events") if isinstance(found, dict) else None
        if not isinstance(events, list) or not _are_events(events):
            raise LogFormatError(f"{path} holds no history of Temporal (line {line}).", hint=HINT)
        if events:
            yield _ordered(path, events)


def _are_events(items: list[Any]) -> bool:
    return all(
        isinstance(item, dict) and "eventId" in item and "eventType" in item for item in items
    )


def _ordered(path: Path, events: History) -> History:
    """The oldest event first, whichever way the file has them."""
    try:
        ids = [int(event["eventId"]) for event in events]
    except (TypeError, ValueError) as error:
        raise LogFormatError(f"{path} has an event whose id is no number.", hint=HINT) from error
    if ids == sorted(ids):
        return events
    return sorted(events, key=lambda event: int(event["eventId"]))


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")
