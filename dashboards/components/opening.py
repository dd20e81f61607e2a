"""How every page begins: its question, the cases it looks at, and what to do without any."""

from __future__ import annotations

from typing import Literal, NoReturn

import streamlit as st

from dashboards import address
from dashboards.components.filter_bar import described, filter_bar
from dashboards.results import Published, Selection, of_store, published, result_of
from dashboards.units import markdown, percent, whole
from miner import processes, summary
from miner.errors import MinerError
from miner.settings import settings

Counts = Literal["closed", "all"]


def page(title: str, question: str, *, counts: Counts = "all") -> Selection:
    """Title, question, filter bar and the cases they leave; returns what to ask analyses about.

    `counts` says whether the figures are about all cases or leave the open ones out. Stops the page
    when there is nothing to look at, and says what to do about it.
    """
    state = heading(title, question)
    sizes = dict(of_store(processes, state).select("process", "cases").iter_rows())
    selection = filter_bar(state, sizes)
    figures = result_of(summary, selection)
    total = sizes[selection.process]
    if not figures.cases:
        _nothing_meets(selection, total)
    _say_which(figures.cases, total, figures.open_cases, counts)
    return selection


def heading(title: str, question: str) -> Published:
    """Title and question; stops the page when there is no store."""
    st.title(title, anchor=False)
    st.caption(question)
    state = published()
    if state is None or of_store(processes, state).is_empty():
        nothing_loaded()
    return state


def nothing_loaded() -> NoReturn:
    """Say that there are no events yet and how to bring some in; stops the page."""
    st.info("There are no events yet.", icon=":material/inbox:")
    st.markdown("Load the sample logs, or a log of your own, then reload this page:")
    st.code("procession demo\nprocession load csv FILE --process NAME", language="console")
    st.caption(f"This page reads the store {markdown(settings().store)}")
    st.stop()


def failed(error: MinerError) -> None:
    """One sentence and the way out."""
    hint = f"\n\n{markdown(error.hint, 500)}" if error.hint else ""
    st.error(markdown(error.message, 500) + hint, icon=":material/error:")
    if address.process():
        st.button("Start again without filter", on_click=_start_again, key="start again")


def _start_again() -> None:
    st.session_state.pop("process", None)
    st.session_state.pop("f", None)
    st.query_params.clear()


def _nothing_meets(selection: Selection, total: int) -> None:
    last = selection.condition.conditions[-1] if selection.condition else None
    st.info(
        f"No case meets the filter: 0 of {whole(total)} cases.", icon=":material/filter_alt_off:"
    )
    if last:
        rest = type(selection.condition)(selection.condition.conditions[:-1])
        st.button(
            f"Remove the last condition: {markdown(described(last), 60)}",
            on_click=address.go_to,
            args=(selection.process, rest),
            key="remove last",
        )
    st.stop()


def _say_which(cases: int, total: int, open_cases: int, counts: Counts) -> None:
    kept = f"**{whole(cases)}** of {whole(total)} cases"
    if cases != total:
        kept += f" · {percent(cases / total)}"
    are = "case is" if open_cases == 1 else "cases are"
    if open_cases and counts == "closed":
        kept = (
            f"**{whole(cases - open_cases)}** of {whole(total)} cases · "
            f"{whole(open_cases)} open {are} left out of closed-case figures"
        )
    elif open_cases:
        kept += f" · {whole(open_cases)} open {are} included"
    st.caption(kept)
