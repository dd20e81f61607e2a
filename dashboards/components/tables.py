"""Tables that speak: durations in words, shares in percent, unknown as a dash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from dashboards.units import UNKNOWN, moment, percent, short, spoken, whole

MOST_ROWS = 1_000
_ROW, _HEADER = 35, 37


def table(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    *,
    key: str,
    choose: bool = False,
    rows: int = 12,
) -> int | None:
    """The first rows of `frame`; `columns` gives the headings in order, others are left out.

    Values keep their order when sorted: words only stand in front of them. With `choose`, returns
    the number of the row that was chosen, else null.
    """
    shown = frame.select(list(columns)).head(MOST_ROWS)
    if frame.height > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS:,} of {frame.height:,} rows; the download has all.")
    state: Any = st.dataframe(
        _styled(shown, columns),
        hide_index=True,
        key=key,
        height=_HEADER + _ROW * max(1, min(rows, shown.height)),
        row_height=_ROW,
        placeholder=UNKNOWN,
        on_select="rerun" if choose else "ignore",
        selection_mode="single-row",
    )
    chosen = state["selection"]["rows"] if choose else []
    return chosen[0] if chosen and chosen[0] < shown.height else None


def _styled(frame: pl.DataFrame, columns: Mapping[str, str]) -> Any:
    formats: dict[str, Callable[[Any], str]] = {}
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Duration):
            formats[columns[name]] = _known(lambda v: spoken(timedelta(microseconds=int(v))))
        elif isinstance(kind, pl.Datetime):
            formats[columns[name]] = _known(lambda v: moment(v))
        elif kind.is_float():
            formats[columns[name]] = _known(percent)
        elif kind.is_integer():
            formats[columns[name]] = _known(lambda v: whole(int(v)))
        else:
            formats[columns[name]] = _known(lambda v: short(str(v), 120))
    durations = pl.selectors.duration().dt.total_microseconds()
    lists = pl.selectors.list().list.join(" › ")
    # As truth values they would be boxes, which look as if they could be ticked.
    answers = pl.selectors.boolean().replace_strict({True: "yes", False: "no"})
    plain = frame.with_columns(durations).with_columns(lists, answers).rename(dict(columns))
    return plain.to_pandas().style.format(formats)


def _known(words: Callable[[Any], str]) -> Callable[[Any], str]:
    def shown(value: Any) -> str:
        unknown = value is None or value != value  # a number that is not one differs from itself
        return UNKNOWN if unknown else words(value)

    return shown
