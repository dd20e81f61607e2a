"""Deviations that were accepted: who, why, where, until when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.headings import ALLOWANCES
from dashboards.components.holding import Against, held_result
from dashboards.components.tables import table
from dashboards.results import Selection, result_of
from dashboards.units import markdown, short
from miner import EventStore
from miner.conformance.allowances import Allowance, allow, allowances, withdraw
from miner.conformance.over_time import deviation_matrix
from miner.errors import MinerError

_SAID = "said of the allow-list"


def allow_list(selection: Selection, against: Against) -> None:
    """The list, also what is over, and forms to accept a deviation and to withdraw it."""
    said = st.session_state.pop(_SAID, None)
    if said:
        good, text = said
        (st.success if good else st.error)(markdown(text, 400))
    listed = result_of(allowances, selection)
    if listed.is_empty():
        st.info("No deviation is accepted: all of them count.", icon=":material/playlist_remove:")
    else:
        table(listed, ALLOWANCES, key="allowances")
    new, end = st.columns(2)
    with new, st.form("allow", border=True):
        st.markdown("**Accept a kind of deviation**")
        _form(selection, held_result(deviation_matrix, selection, against))
    in_force = listed.filter("in_force")
    if in_force.height:
        with end, st.form("withdraw", border=True):
            st.markdown("**Withdraw an allowance**")
            _withdrawal(selection, in_force)
    downloads(selection.process, {"allowances.csv": listed})
    st.caption("Every change goes into the audit trail. What is over counts again by itself.")


def _form(selection: Selection, known: pl.DataFrame) -> None:
    for column in ("kind", "activity", "version"):
        names = sorted(known[column].drop_nulls().unique().to_list())
        st.selectbox(
            column.capitalize(), names, index=None, placeholder="any", key=f"allow {column}",
            format_func=lambda name: short(name, 60),
        )  # fmt: skip
    left, right = st.columns(2)
    left.text_input("Only cases with the attribute", key="allow attribute")
    right.text_input("of the value", key="allow attribute_value")
    st.text_area("Reason", key="allow reason", height=80)
    left, right = st.columns(2)
    left.text_input("Owner, who answers for it", key="allow owner")
    right.text_input("Approver, somebody else", key="allow approver")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    st.date_input(
        "Until the end of (UTC)", tomorrow + timedelta(days=89), min_value=tomorrow,
        key="allow until",
    )  # fmt: skip
    st.form_submit_button(
        "Accept", type="primary", icon=":material/check:", on_click=_allow, args=(selection,),
        key="allow accept",
    )  # fmt: skip


def _allow(selection: Selection) -> None:
    def given(name: str) -> Any:
        value = st.session_state.get(f"allow {name}")
        return (value.strip() or None) if isinstance(value, str) else value

    until: date = given("until")
    allowance = Allowance(
        given("kind"),
        given("activity"),
        given("reason") or "",
        given("owner") or "",
        given("approver") or "",
        datetime.combine(until + timedelta(days=1), time()),
        version=given("version"),
        attribute=given("attribute"),
        attribute_value=given("attribute_value"),
    )
    try:
        number = allow(_store(selection), selection.process, allowance)
    except MinerError as error:
        st.session_state[_SAID] = False, f"{error.message} {error.hint}"
        return
    st.session_state[_SAID] = True, f"Allowance {number} is in force."
    st.session_state["allow reason"] = ""


def _withdrawal(selection: Selection, in_force: pl.DataFrame) -> None:
    rows = {row["allowance_id"]: row for row in in_force.iter_rows(named=True)}

    def named(number: int) -> str:
        row = rows[number]
        what = " · ".join(filter(None, (row["kind"], row["activity"], row["rule"])))
        return f"{number}: {short(what, 60)}"

    st.selectbox("Allowance", list(rows), format_func=named, key="withdrawn")
    st.text_area("Why it is not accepted any more", key="withdrawn why", height=80)
    st.form_submit_button(
        "Withdraw", icon=":material/undo:", on_click=_withdraw, args=(selection,), key="withdraw it"
    )


def _withdraw(selection: Selection) -> None:
    number, reason = st.session_state["withdrawn"], st.session_state["withdrawn why"].strip()
    if not reason:
        st.session_state[_SAID] = False, "Say why it is withdrawn."
        return
    try:
        withdraw(_store(selection), selection.process, number, reason=reason)
    except MinerError as error:
        st.session_state[_SAID] = False, f"{error.message} {error.hint}"
        return
    st.session_state[_SAID] = (
        True,
        f"Allowance {number} is withdrawn; what it covered counts again.",
    )


def _store(selection: Selection) -> EventStore:
    return EventStore(selection.published.folder)
