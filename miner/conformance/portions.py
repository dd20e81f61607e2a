"""Long work in portions: on several threads, with progress, and with an end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt

from miner.conformance.coded_traces import Ints, Longs

_LEAST = 2_000_000
"""Work below this is not worth a second thread."""


class Watch:
    """Says when to stop, and tells how far the work is."""

    def __init__(
        self,
        seconds: float,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._end = time.monotonic() + seconds
        self._progress = progress
        self._cancelled = cancelled
        self.stopped = False
        """Whether somebody asked to stop."""

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self._end - time.monotonic())

    def over(self) -> bool:
        """Whether time is over or somebody asked to stop."""
        self.stopped = self.stopped or (self._cancelled is not None and self._cancelled())
        return self.stopped or self.left == 0.0

    def tell(self, share: float) -> None:
        """Say which share of the work is done."""
        if self._progress is not None:
            self._progress(share)


def in_portions(
    work: Callable[[int, int], Ints], sizes: npt.NDArray[np.floating], watch: Watch
) -> list[Ints]:
    """What `work` returns for portions (begin, end) of a row of items, in their order.

    `sizes` says how long each item takes, in nanoseconds or so. Portions that were not begun when
    the watch says stop are left out; one portion is done in any case where there is time at all.
    """
    done = np.cumsum(sizes)
    bounds = _bounds(done)
    portions = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    if len(portions) == 1:
        return [] if watch.over() else [work(*portions[0])]
    found: dict[int, Ints] = {}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        waiting = iter(enumerate(portions))
        running: dict[Future[Ints], int] = {}
        while not watch.over():
            _refill(pool, work, waiting, running)
            if not running:
                break
            # A short wait, so that a request to stop is heard while portions run.
            ready, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            found.update((running.pop(each), each.result()) for each in ready)
            if found:
                watch.tell(float(done[portions[max(found)][1] - 1] / done[-1]))
        found.update((number, each.result()) for each, number in running.items())
    return [found[number] for number in sorted(found)]


def _refill(
    pool: ThreadPoolExecutor,
    work: Callable[[int, int], Ints],
    waiting: Iterator[tuple[int, tuple[int, int]]],
    running: dict[Future[Ints], int],
) -> None:
    while len(running) < 2 * len(os.sched_getaffinity(0)):
        number, portion = next(waiting, (-1, (0, 0)))
        if number < 0:
            return
        running[pool.submit(work, *portion)] = number


def _bounds(done: npt.NDArray[np.floating]) -> Longs:
    """Where portions begin and end: some for each thread, none longer than a fifth of a second."""
    items, total = len(done), float(done[-1]) if len(done) else 0.0
    if total < _LEAST:
        return np.array([0, items], np.int64)
    portions = max(8 * len(os.sched_getaffinity(0)), int(total / 2e8))
    marks = np.linspace(0, total, min(portions, items) + 1)[1:-1]
    inner = np.searchsorted(done, marks, side="right")
    return np.unique(np.concatenate([[0], inner, [items]])).astype(np.int64)
