"""The page address: process and filter, so that a link shows the same view again."""

from __future__ import annotations

import streamlit as st

from miner import LogFilter

_PROCESS, _FILTER = "process", "f"
_OF_PROCESS = ("activities", "paths", "case")
"""Parameters that mean nothing for another process."""


def restore() -> None:
    """Make address and session agree: the address wins, and is filled in after a page change."""
    if _PROCESS in st.query_params:
        st.session_state[_PROCESS] = st.query_params[_PROCESS]
        st.session_state[_FILTER] = st.query_params.get(_FILTER, "")
    elif st.session_state.get(_PROCESS):
        _to_address()


def process() -> str | None:
    """The process the address names; null when it names none."""
    return st.session_state.get(_PROCESS) or None


def condition() -> LogFilter:
    """The filter of the address; raises InputError when it cannot be read."""
    text = st.session_state.get(_FILTER)
    return LogFilter.from_json(text) if text else LogFilter()


def go_to(name: str, chosen: LogFilter | None = None) -> None:
    """Look at another process, or at other cases of the same one."""
    if name != process():
        for key in _OF_PROCESS:
            keep(key, None)
    st.session_state[_PROCESS] = name
    st.session_state[_FILTER] = chosen.to_json() if chosen else ""
    _to_address()


def kept(key: str) -> str | None:
    """A further parameter of the address, null when it is not there."""
    return st.query_params.get(key)


def keep(key: str, value: str | None) -> None:
    """Put a further parameter into the address, or take it out."""
    if value is not None:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def link(name: str, chosen: LogFilter | None = None) -> dict[str, str]:
    """The parameters of an address that shows `name` and the chosen cases."""
    return {_PROCESS: name} | ({_FILTER: chosen.to_json()} if chosen else {})


def _to_address() -> None:
    st.query_params[_PROCESS] = st.session_state[_PROCESS]
    keep(_FILTER, st.session_state.get(_FILTER) or None)
