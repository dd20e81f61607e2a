"""Which modelled workflow the cases are held against."""

from __future__ import annotations

from shlex import quote
from typing import NoReturn

import polars as pl
import streamlit as st

from dashboards.components.holding import Against
from dashboards.results import Selection, of_store
from dashboards.units import markdown, short
from miner.eventlog.definitions import models

_OWN, _NEWEST, _FILE = "The version each case ran on", "The newest version", "A file of mine"
_VERSION = "Version "
_TYPES = ["bpmn", "pnml", "json", "yaml", "yml", "ptml", "tree", "asl", "decl", "xml", "txt"]
_MOST_BYTES = 50_000_000


def against(selection: Selection) -> Against:
    """The choice of a reader; stops the page where there is no model, and says how to add one."""
    known = of_store(models, selection.published, process=selection.process)
    versions = list(dict.fromkeys(known["version"].drop_nulls()))
    choices = [_OWN, _NEWEST, *(_VERSION + version for version in versions)] if known.height else []
    if not choices:
        return _file(selection, known) or _no_model(selection)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = st.selectbox(
            "Hold the cases against", [*choices, _FILE], key="against", bind="query-params",
            width=320, format_func=lambda name: short(name, 60),
            help="An auditor asks about the version that a case ran on; the newest one shows what "
            "would deviate had it been in force all along.",
        )  # fmt: skip
    if chosen == _FILE:
        found = _file(selection, known)
        if found is None:
            st.stop()
        return found
    if chosen.startswith(_VERSION) and chosen.removeprefix(_VERSION) in versions:
        return Against("version", chosen.removeprefix(_VERSION))
    return Against("newest" if chosen == _NEWEST else "own")


def _file(selection: Selection, known: pl.DataFrame) -> Against | None:
    if known.is_empty():
        st.info(
            f"No modelled workflow of {markdown(selection.process)} is known, so there is nothing "
            "to hold the cases against.",
            icon=":material/schema:",
        )
    given = st.file_uploader(
        "A model: BPMN, PNML, ASL, Logic Apps, Google Workflows, Airflow, process tree, DECLARE",
        type=_TYPES, key="model file", max_upload_size=_MOST_BYTES // 1_000_000,
        help="It is used for this visit only and not kept.",
    )  # fmt: skip
    if given is None:
        return None
    return Against("file", content=given.getvalue(), name=given.name)


def _no_model(selection: Selection) -> NoReturn:
    st.markdown("To keep one for everybody, with the version that cases ran on:")
    name = quote(short(selection.process, 60))
    st.code(f"procession model add {name} FILE.bpmn --version 2", language="console")
    st.caption("Sources that know the definitions of their workflows bring them along by `sync`.")
    st.stop()
