"""How far the reading of a file has come, told while somebody else reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FREQUENCY = 0.2
"""Seconds between two looks."""


@contextmanager
def file_watched(path: Path, tell: Callable[[float], None] | None) -> Iterator[None]:
    """Tell the share of `path` that this process has read, as the operating system knows it.

    The readers need not know of it. Where the system does not say, nothing is told.
    """
    if tell is None or not path.is_file() or not path.stat().st_size:
        yield
        return
    ended = threading.Event()
    size = path.stat().st_size

    def look() -> None:
        while not ended.wait(FREQUENCY):
            position = _position(path)
            if position is not None:
                tell(min(position / size, 1.0))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _position(path: Path) -> int | None:
    descriptors = Path("/proc/self/fd")
    with suppress(OSError, ValueError):
        wanted = path.resolve()
        for entry in descriptors.iterdir():
            with suppress(OSError):
                if entry.readlink() == wanted:
                    told = Path(f"/proc/self/fdinfo/{entry.name}").read_text(encoding="ascii")
                    return int(told.split()[1])
    return None
