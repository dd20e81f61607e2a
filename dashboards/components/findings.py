"""What a page says about the quality of a log."""

from __future__ import annotations

import json

import polars as pl
import streamlit as st

from dashboards.results import Selection, of_store
from dashboards.units import markdown, percent, plural, whole
from miner.eventlog.quality import loads, rejected

_MOST_NOTES = 20


def loads_of(selection: Selection) -> pl.DataFrame:
    """What was loaded into the process, newest first; `LOADS`."""
    return of_store(loads, selection.published, process=selection.process)


def rejected_of(selection: Selection) -> pl.DataFrame:
    """What of the process is in quarantine; `REJECTED_ROWS`."""
    return of_store(rejected, selection.published, process=selection.process)


def notes_of(found: pl.DataFrame) -> list[tuple[str, str]]:
    """What was guessed or left out when loading: subject and sentence, newest load first."""
    texts = found["notes"].drop_nulls()
    notes = [(str(note[0]), str(note[1])) for text in texts for note in json.loads(text)]
    return list(dict.fromkeys(notes))[:_MOST_NOTES]


def say_findings(findings: pl.DataFrame) -> None:
    """How many findings occur, and the ones that touch a measure."""
    occurring = findings.filter(pl.col("count") > 0)
    touching = occurring.filter(~pl.col("touches").str.starts_with("nothing"))
    if touching.is_empty():
        st.success("Nothing was found that touches a measure.", icon=":material/check_circle:")
        return
    st.markdown(
        f"**{touching.height}** of {findings.height} checks found something that touches a measure:"
    )
    lines = [
        f"- {row['finding']}: **{whole(row['count'])}** of {whole(row['of'])} "
        f"({percent(row['share'])}) → {row['touches']}"
        for row in touching.iter_rows(named=True)
    ]
    st.markdown("\n".join(lines))


def say_limitations(found: pl.DataFrame) -> None:
    """What the sources could not tell, as sentences; says so when they told all."""
    if found.is_empty():
        st.caption("The sources report nothing that they could not tell.")
        return
    st.markdown("**What the sources could not tell**")
    lines = []
    for row in found.iter_rows(named=True):
        number = "" if row["events"] is None else f" ({plural(row['events'], 'event')})"
        measures = ", ".join(name.replace("_", " ") for name in row["measures"])
        touched = f" → {markdown(measures, 300)}" if measures else ""
        lines.append(
            f"- **{markdown(row['source'])}**: {markdown(row['text'], 500)}{number}{touched}"
        )
    st.markdown("\n".join(lines))
