"""Rules of a file, and which cases break them."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.headings import RULES, VIOLATIONS
from dashboards.components.opening import failed
from dashboards.components.tables import table
from dashboards.results import Selection, result_of
from dashboards.units import markdown, short
from miner import EventLog
from miner.conformance.rules.evaluation import RuleResults, evaluate, violations
from miner.conformance.rules.parsing import rules_of
from miner.conformance.rules.rule import Rules
from miner.conformance.sentences import sentence
from miner.errors import ModelError

_EXAMPLE = """rules:
  - name: approved before paid
    template: precedence
    first: Approve order
    then: Collect payment
"""
_SHOWN = 200
_GIVEN = "rules of this visit"


def rules_view(selection: Selection) -> None:
    """An upload of rules, how often each is broken, and by which cases."""
    rules = given_rules()
    if rules is None:
        with st.expander("What rules look like"):
            st.code(_EXAMPLE, language="yaml")
        return
    st.session_state[_GIVEN] = rules
    found = result_of(evaluated, selection, text=rules.text, name=rules.name)
    frame = found.frame()
    for result in found.results:
        for note in result.notes:
            st.caption(f"**{markdown(result.rule, 60)}**: {markdown(note, 300)}")
    row = table(frame, RULES, key="rules", choose=True)
    st.caption("Select a rule to see what broke it.")
    downloads(selection.process, {"rules.csv": frame})
    if row is not None:
        _violations(selection, rules, frame["rule"][row])


def given_rules() -> Rules | None:
    """The rules that a reader gave; null without any or when they cannot be used."""
    given = st.file_uploader(
        "Rules, a YAML file", type=["yaml", "yml"], key="rules file",
        help="It is used for this visit only and not kept.",
    )  # fmt: skip
    if given is None:
        return None
    try:
        return rules_of(given.getvalue().decode("utf-8", errors="replace"), given.name)
    except ModelError as error:
        failed(error)
        return None


def rules_of_this_visit() -> Rules | None:
    """The rules that were given last, also on another tab; null before that."""
    found: Rules | None = st.session_state.get(_GIVEN)
    return found


def evaluated(log: EventLog, *, text: str, name: str) -> RuleResults:
    """What the rules of a file found."""
    return evaluate(log, rules_of(text, name))


def broken(log: EventLog, *, text: str, rule: str) -> pl.DataFrame:
    """The first violations of a rule, with a sentence for each."""
    found = violations(log, rules_of(text).named(rule), limit=_SHOWN)
    told = [sentence(row) for row in found.iter_rows(named=True)]
    return found.with_columns(pl.Series("sentence", told, dtype=pl.String()))


def _violations(selection: Selection, rules: Rules, rule: str) -> None:
    st.markdown(f"**{markdown(rule, 80)}**: {markdown(rules.named(rule).text, 300)}")
    found = result_of(broken, selection, text=rules.text, rule=rule)
    if found.is_empty():
        st.success("No case breaks it.", icon=":material/check_circle:")
        return
    table(found, VIOLATIONS, key="violations")
    if found.height == _SHOWN:
        st.caption(f"The first {_SHOWN} are shown; the evidence pack has all of them.")
    downloads(selection.process, {f"violations_of_{short(rule, 30)}.csv": found})
