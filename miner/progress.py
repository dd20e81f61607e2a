"""A progress bar on stderr for what takes longer than two seconds."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm

PHASES = {"Parsing": (0.0, 0.4), "Reading": (0.4, 0.6), "Merging": (0.6, 1.0)}
"""Where in the whole each phase begins and ends."""


class Progress:
    """Call it with what is being done and which share of it is done.

    The rate and the time left are those of the whole: of `size` bytes, where that is known.
    """

    def __init__(self, name: str, size: int | None = None) -> None:
        self._size = size or 100
        unit = {"unit": "B", "unit_scale": True} if size else {"unit": "%"}
        self._bar = tqdm(
            total=self._size,
            desc=name,
            delay=2,
            miniters=0,
            file=sys.stderr,
            leave=False,
            bar_format="{desc}: {percentage:3.0f} %|{bar:30}| {rate_fmt}, {remaining} left",
            **unit,
        )

    def __call__(self, what: str, share: float) -> None:
        """Move the bar; it never goes back."""
        low, high = PHASES.get(what, (0.0, 1.0))
        done = self._size * (low + (high - low) * share)
        self._bar.set_description_str(what, refresh=False)
        if done > self._bar.n:
            self._bar.update(done - self._bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._bar.close()
