"""Settings: a flag, then `PROCESSION_…`, then `procession.toml`, then the default."""

from __future__ import annotations

import math
import os
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from miner.errors import InputError, UnknownNameError

FILE = "procession.toml"
SOURCES = "sources"
"""The table of the file that says what `sync` reads."""
_LEAST_MEMORY = 2
_SIZE = r"\d+(\.\d+)?\s*[kmgt]i?b"


@dataclass(frozen=True)
class Settings:
    """What a person can set once for all commands."""

    store: str = "procession-store"
    """Folder of the event store."""
    memory_limit: str = ""
    """Most memory that the engine takes; if none is given 2 GB for loading, which then spills to
    disk, and for queries a quarter of what the machine has, at least 2 GB."""
    threads: int = 0
    """Threads of the engine; 0 means one per core."""
    query_seconds: int = 60
    """A query that runs longer is stopped."""
    wait_seconds: float = 30.0
    """How long a command waits for another one that is writing."""

    def __post_init__(self) -> None:
        for key, makes_sense, like in (
            ("memory_limit", re.fullmatch(_SIZE, self.memory_limit.strip() or "2GB", re.I), "2GB"),
            ("threads", self.threads >= 0, 2),
            ("query_seconds", self.query_seconds > 0, 60),
            ("wait_seconds", 0 <= self.wait_seconds < math.inf, 30),
        ):
            if not makes_sense:
                raise _refusal(key, getattr(self, key), like)

    @property
    def loading_memory(self) -> str:
        """Most memory of a load, as the engine wants it."""
        return self.memory_limit or f"{_LEAST_MEMORY}GB"

    @property
    def query_memory(self) -> str:
        """Most memory of a query, as the engine wants it."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        return self.memory_limit or f"{max(_LEAST_MEMORY, machine / 4):.1f}GB"


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises InputError when `procession.toml` cannot be read or a value has the wrong type, and
    UnknownNameError for a key that does not exist.
    """
    found = _from_file(Path(FILE))
    found.pop(SOURCES, None)
    for field in fields(Settings):
        text = os.environ.get(f"PROCESSION_{field.name.upper()}")
        if text:
            found[field.name] = text
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    return Settings(**{key: _typed(key, value, kinds[key]) for key, value in found.items()})


def configured_sources() -> dict[str, dict[str, Any]]:
    """The tables `[sources.NAME]` of `procession.toml`: what `sync` reads, in their order.

    Raises InputError when the file cannot be read or holds no such tables.
    """
    found = _from_file(Path(FILE)).get(SOURCES, {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise InputError(
            f"{SOURCES!r} in {FILE} is no table of sources.",
            hint="Write a table for each, like [sources.orders], with source = and its options.",
        )
    return found


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{FILE} cannot be read: {error}.", hint="Correct that line.") from error
    known = [field.name for field in fields(Settings)]
    for key in found:
        if key not in (*known, SOURCES):
            raise UnknownNameError(f"setting in {FILE}", key, (*known, SOURCES))
    return found


def _typed(key: str, value: Any, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise _refusal(key, value, kind(30)) from error


def _refusal(key: str, value: Any, like: Any) -> InputError:
    return InputError(f"The setting {key} cannot be {value!r}.", hint=f"Give a value like {like}.")
