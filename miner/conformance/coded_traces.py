"""Traces as one array of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Traces:
    """Sequences of activities in one array.

    Trace i has the activities `labels[code]` for the codes from `offsets[i]` to `offsets[i + 1]`.
    """

    offsets: Longs
    codes: Ints
    labels: tuple[str, ...]

    @classmethod
    def of(cls, traces: Sequence[Sequence[str]]) -> Traces:
        """The traces of a sequence."""
        frame = pl.DataFrame(
            {"activities": [list(trace) for trace in traces]},
            schema={"activities": pl.List(pl.String())},
        )
        return cls.from_frame(frame)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Traces:
        """The traces of the column `activities` (lists of strings), in the order of the rows.

        A null list is an empty trace.
        """
        lists = frame["activities"]
        lengths = lists.list.len().fill_null(0)
        events = lists.filter(lengths > 0).explode()
        labels = tuple(events.unique().sort().to_list())
        codes = events.cast(pl.Enum(labels)).to_physical().cast(pl.Int32).to_numpy()
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths.to_numpy(), out=offsets[1:])
        return cls(offsets, codes, labels)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self) -> Longs:
        """The number of events of each trace."""
        return np.diff(self.offsets)

    def recoded(self, numbers: dict[str, int]) -> Ints:
        """The number of the activity of each event, -1 for those without one."""
        of_label = np.array([numbers.get(label, -1) for label in self.labels], np.int32)
        return of_label[self.codes] if len(self.codes) else self.codes

    def trace_of(self, events: Longs) -> Ints:
        """The trace that each of `events` (places in `codes`) is of."""
        return (np.searchsorted(self.offsets, events, side="right") - 1).astype(np.int32)


def backward_order(offsets: Longs, codes: Ints) -> Longs:
    """The order of traces when they are compared from their last event on.

    Traces that end alike come next to each other.
    """
    import pyarrow as pa

    lengths = np.diff(offsets)
    sums = np.repeat(offsets[:-1] + offsets[1:] - 1, lengths)
    backward = codes[sums - np.arange(len(codes))]
    data = (backward + 1).astype(">u4").tobytes()
    buffers = [None, pa.py_buffer((offsets * 4).tobytes()), pa.py_buffer(data)]
    texts = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(lengths), buffers)
    return pl.Series(texts).arg_sort().to_numpy().astype(np.int64)
