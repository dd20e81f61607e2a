"""Waiting for a real server: how long, and how."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT = 420
"""Seconds. A server on a busy machine is slow; only one that never gets there is broken."""


def until(found: Callable[[], T]) -> T:
    """What `found` gives as soon as it is true; AssertionError if that does not come to pass."""
    limit = time.monotonic() + LIMIT
    while not (value := found()):
        assert time.monotonic() < limit, f"it did not come to pass within {LIMIT} seconds"
        time.sleep(0.1)
    return value


async def until_true(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; AssertionError if that does not come to pass."""
    limit = time.monotonic() + LIMIT
    while not await holds():
        assert time.monotonic() < limit, f"it did not come to pass within {LIMIT} seconds"
        await asyncio.sleep(0.1)
