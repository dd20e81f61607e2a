"""Taking away what is on a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl
import streamlit as st

from dashboards.exports import csv_of

_KINDS = {
    "csv": "text/csv",
    "svg": "image/svg+xml",
    "png": "image/png",
    "html": "text/html",
    "bpmn": "application/xml",
    "pnml": "application/xml",
    "zip": "application/zip",
}
Content = pl.DataFrame | Callable[[], pl.DataFrame | str | bytes]


def downloads(process: str, files: Mapping[str, Content]) -> None:
    """A row of buttons; `files` are by name with ending, such as "variants.csv".

    What is given as a function is made only when somebody asks for it.
    """
    with st.container(horizontal=True, gap="small"):
        for name, content in files.items():
            stem, _, ending = name.rpartition(".")
            st.download_button(
                f"{stem.replace('_', ' ').capitalize()} · {ending.upper()}",
                data=_maker(content),
                file_name=f"{_safe(process)}-{name}",
                mime=_KINDS[ending],
                icon=":material/download:",
                on_click="ignore",
                key=f"download {name}",
            )


def _maker(content: Content) -> Callable[[], str | bytes]:
    def made() -> str | bytes:
        found = content() if callable(content) else content
        return csv_of(found) if isinstance(found, pl.DataFrame) else found

    return made


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:60].strip("-.") or "process"
