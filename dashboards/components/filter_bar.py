"""The filter bar, the same on every page; made from the kinds of conditions there are."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboards import address
from dashboards.choices import choices
from dashboards.results import Published, Selection, result_of
from dashboards.units import markdown, whole
from miner import Condition, LogFilter
from miner.errors import MinerError, UnknownNameError
from miner.eventlog.filters import KINDS, Kind
from miner.eventlog.schema import CASE_STATUS

_NAMED = {
    "ACTIVITY": "activity",
    "RESOURCE": "resource",
    "VERSION": "process_version",
    "TYPE": "error_type",
}
_PAIR = '"A>B"'
_PROBLEM = "problem of the new condition"
_WORDS = {
    "since": "started since",
    "until": "ended until",
    "active-between": "active",
    "activity": "has",
    "starts-with": "starts with",
    "ends-with": "ends with",
    "follows": "directly follows",
    "eventually-follows": "eventually follows",
    "top-variants": "most frequent variants:",
    "variant-coverage": "variants covering",
    "longer-than": "longer than",
    "shorter-than": "shorter than",
    "min-instances": "instances at least",
    "max-instances": "instances at most",
    "failed-at": "failed at",
    "rework-of": "rework of",
}
"""How a condition reads on its chip; other kinds by their name."""


def filter_bar(state: Published, sizes: Mapping[str, int]) -> Selection:
    """Process and conditions; returns the selection that the address names.

    `sizes` are the cases of each process. Without a process in the address, the one with the most
    cases. Raises UnknownNameError for a process that is not there, InputError for a filter that
    cannot be read.
    """
    process = address.process() or max(sizes, key=lambda name: sizes[name])
    if process not in sizes:
        raise UnknownNameError("process", process, sizes)
    selection = Selection(state, process, address.condition())
    if address.process() is None:
        address.go_to(process)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filterbar"):
        _choose_process(process, sizes)
        for number, condition in enumerate(selection.condition.conditions):
            _chip(selection, number, condition)
        with st.popover("Add filter", icon=":material/filter_list:", key="add filter"):
            _new_condition(selection)
        if len(selection.condition.conditions) > 1:
            st.button("Clear", type="tertiary", on_click=address.go_to, args=(process, LogFilter()))
    return selection


def described(condition: Condition) -> str:
    """A condition in words, as on its chip."""
    words = _WORDS.get(condition.kind, condition.kind.replace("-", " "))
    return f"{'not: ' if condition.inverted else ''}{words} {condition.value}"


def _choose_process(process: str, sizes: Mapping[str, int]) -> None:
    st.session_state["chosen process"] = process
    st.selectbox(
        "Process",
        list(sizes),
        key="chosen process",
        format_func=lambda name: f"{name} · {whole(sizes[name])} cases",
        label_visibility="collapsed",
        width=300,
        on_change=lambda: address.go_to(st.session_state["chosen process"]),
    )


def _chip(selection: Selection, number: int, condition: Condition) -> None:
    conditions = selection.condition.conditions
    rest = LogFilter(conditions[:number] + conditions[number + 1 :])
    st.button(
        markdown(described(condition), 60),
        icon=":material/close:",
        help=f"Take this condition away. {KINDS[condition.kind].help.capitalize()}.",
        key=f"chip {number}",
        on_click=address.go_to,
        args=(selection.process, rest),
    )


def _new_condition(selection: Selection) -> None:
    kind = KINDS[
        st.selectbox(
            "Keep",
            list(KINDS),
            index=list(KINDS).index("activity"),
            format_func=lambda name: KINDS[name].help,
            key="new kind",
        )
    ]
    _value(kind, selection)
    st.toggle("Turn round: keep the other cases", key="new inverted")
    problem = st.session_state.pop(_PROBLEM, None)
    if problem:
        st.error(markdown(problem, 300))
    st.button("Add", type="primary", key="new add", on_click=_add, args=(selection, kind.name))


def _value(kind: Kind, selection: Selection) -> None:
    """Widgets for the value; their keys are `value …`, so that kinds do not share them."""
    key = f"value {kind.name}"
    if kind.metavar == _PAIR:
        for side, label in (("first", "A"), ("second", "B")):
            _names(label, "activity", selection, f"{key} {side}")
    elif kind.metavar in _NAMED:
        name = _NAMED[kind.metavar]
        _names(name.replace("_", " ").capitalize(), name, selection, key)
    elif kind.metavar == "STATUS":
        st.selectbox("Status", ["open", "closed", *CASE_STATUS], key=key)
    else:
        st.text_input("Value", placeholder=kind.metavar.strip('"'), key=key)


def _names(label: str, kind: str, selection: Selection, key: str) -> None:
    everything = Selection(selection.published, selection.process)
    found = result_of(choices, everything, kind=kind)["name"].to_list()
    st.selectbox(
        label, found, index=None, key=key, accept_new_options=True, placeholder="Choose or type"
    )


def _add(selection: Selection, kind: str) -> None:
    key = f"value {kind}"
    if KINDS[kind].metavar == _PAIR:
        sides = (st.session_state.get(f"{key} {side}") or "" for side in ("first", "second"))
        value = ">".join(sides)
    else:
        value = st.session_state.get(key) or ""
    try:
        if not value.strip():
            raise UnknownNameError("value", value, ())
        condition = Condition(kind, value, bool(st.session_state.get("new inverted")))
    except MinerError as error:
        text = "Give a value." if not value.strip() else f"{error.message} {error.hint}"
        st.session_state[_PROBLEM] = text
        return
    address.go_to(selection.process, LogFilter((*selection.condition.conditions, condition)))
