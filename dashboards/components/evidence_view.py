"""The evidence pack: made on request, then taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.holding import Against
from dashboards.components.rules_view import rules_of_this_visit
from dashboards.results import Selection
from dashboards.units import markdown, moment, plural, short, whole
from miner import EventLog, EventStore
from miner.conformance.evidence.pack import Pack, write_pack
from miner.conformance.evidence.question import Question
from miner.conformance.workflows import Workflows

_MADE = "evidence packs made"
_WORDS = {"own": "the version each case ran on", "newest": "the newest version"}


def evidence_view(selection: Selection, against: Against) -> None:
    """Title, sample, a button that makes the pack, and one that hands it out."""
    st.markdown(
        "One zip file with a report to read offline, the models, the rules, every exception, the "
        "alignments, the allow-list, the hash of the data and a hash chain over all of it."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.text_input("Title", f"Conformance of {short(selection.process, 80)}", width=420)
        sample = st.number_input("Cases to draw for a closer look", 0, 10_000, 25, width=220)
        seed = st.number_input("Seed of the draw", 0, 2**31 - 1, 1, width=140)
    rules = rules_of_this_visit()
    st.caption(
        f"With the rules of {markdown(rules.name, 60)}."
        if rules
        else "Without rules: give a file in the tab Rules to have them in it."
    )
    question = Question(
        selection.process, _said(against), selection.condition, rules, title, int(sample), int(seed)
    )
    key = (selection.published.key, repr(against), against.content, repr(question))
    if st.button("Make the evidence pack", type="primary", icon=":material/inventory_2:"):
        with st.status("Making the evidence pack") as status:
            st.session_state[_MADE] = key, *_made(selection, question, against.workflows)
            status.update(label="The evidence pack is made", state="complete")
    made = st.session_state.get(_MADE)
    if made and made[0][1:] == key[1:]:
        _hand_out(selection, made[1], made[2])
    st.caption("Anybody can check a pack with `procession evidence --verify FILE`.")


def _hand_out(selection: Selection, pack: Pack, content: bytes) -> None:
    downloads(selection.process, {"evidence_pack.zip": lambda: content})
    st.markdown(
        f"Made {moment(pack.made_at)} UTC over {plural(pack.cases, 'judged case')}, "
        f"{whole(pack.exceptions)} exceptions, {plural(pack.files, 'file')}. Keep this root "
        "elsewhere: with it a change of the pack can be proved."
    )
    st.code(pack.root, language=None)


def _made(
    selection: Selection, question: Question, choose: Callable[[EventLog], Workflows]
) -> tuple[Pack, bytes]:
    store = EventStore(selection.published.folder)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "evidence.zip"
        pack = write_pack(store, question, choose, out)
        return pack, out.read_bytes()


def _said(against: Against) -> str:
    if against.kind == "version":
        return f"version {against.version}"
    return _WORDS.get(against.kind, f"the file {against.name}")
