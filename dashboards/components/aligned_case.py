"""One case beside its model, move by move."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import address
from dashboards.components.downloads import downloads
from dashboards.components.figures import key_figures
from dashboards.components.headings import EVENTS, MOVES
from dashboards.components.holding import Against, held_result
from dashboards.components.tables import table
from dashboards.results import Selection, result_of
from dashboards.units import UNKNOWN, markdown, short, whole
from miner import case
from miner.conformance.held import Held
from miner.conformance.one_case import CaseAlignment, align_case

_MOVES = {"both": "as modelled", "log": "only done", "model": "only modelled"}


def aligned_case(selection: Selection, against: Against, case_id: str) -> None:
    """The moves of a case beside its events; raises InputError for one that is not judged."""
    st.button(
        "All deviations", icon=":material/arrow_back:", on_click=address.keep, args=("case", None)
    )
    found = held_result(case_beside_model, selection, against, case_id=case_id)
    st.subheader(markdown(found.case_id), anchor=False)
    key_figures(
        {
            "Conforms": "yes" if found.conforms else "no",
            "Deviating moves": (whole(found.cost), "Least number that explains the case"),
            "Held against": short(found.model, 30),
            "Version": UNKNOWN if found.version is None else short(found.version, 20),
        }
    )
    told = [text for text in found.moves["sentence"] if text]
    st.markdown("\n".join(f"- {markdown(text, 400)}" for text in told) or "It ran as modelled.")
    moves = found.moves.with_columns(pl.col("move").replace(_MOVES))
    beside, events = st.columns(2)
    with beside:
        st.markdown("**Beside the model**")
        table(moves, MOVES, key="moves", rows=20)
    with events:
        st.markdown("**Events as recorded**")
        recorded = result_of(case, selection, case_id=case_id).events
        table(recorded, _EVENTS, key="events of the case", rows=20)
    st.page_link(
        "pages/cases.py", label="Open the whole case", icon=":material/view_list:",
        query_params={**address.link(selection.process, selection.condition), "case": case_id},
    )  # fmt: skip
    downloads(selection.process, {"alignment.csv": found.moves})


def case_beside_model(held: Held, *, case_id: str) -> CaseAlignment:
    """The alignment of one of the cases held."""
    return align_case(held.log, held.workflows, case_id)


_EVENTS = {
    name: EVENTS[name] for name in ("timestamp", "activity", "lifecycle", "resource", "attempt")
}
