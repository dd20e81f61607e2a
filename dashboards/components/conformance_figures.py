"""What a page says first about conformance."""

from __future__ import annotations

import streamlit as st

from dashboards.components.figures import key_figures
from dashboards.components.holding import Against, held_result
from dashboards.results import Selection
from dashboards.units import UNKNOWN, markdown, percent, plural, share, whole
from miner.conformance.conform import Conformance, conformance

_MOST_NOTES = 12


def conformance_figures(selection: Selection, against: Against) -> None:
    """Rates before and after the allow-list, qualities, and the cases that were not judged."""
    found = held_result(conformance, selection, against)
    judged = found.cases - found.unaligned_cases
    of = f"of {whole(judged)} judged cases"
    key_figures(
        {
            "Conforming": (
                share(found.conforming_cases, judged),
                f"{whole(found.conforming_cases)} {of} ran exactly as modelled",
            ),
            "With the allow-list": (
                share(found.accepted_cases, judged),
                f"{whole(found.accepted_cases)} {of} conform, or deviate only in what is accepted",
            ),
            "Fitness": (
                _quality(found.fitness),
                f"Mean over {whole(judged)} cases of 1 − deviations ÷ the most there could be. Of "
                f"all cases together, long ones weighing more: {_quality(found.log_fitness)}",
            ),
            "Precision": (
                _quality(found.precision),
                "How little the model allows that never happens",
            ),
            "Not judged": (whole(_left_out(found)), _why(found)),
        }
    )
    st.caption(_counted(found, judged))
    st.caption(
        f"Generalization {_quality(found.generalization)} · simplicity "
        f"{_quality(found.simplicity)} · precision covers {percent(found.precision_covered)} of "
        "the beginnings of cases"
    )
    _notes(found)


def nothing_judged(selection: Selection, against: Against) -> bool:
    """Whether no case could be judged; says why."""
    found = held_result(conformance, selection, against)
    judged = found.cases - found.unaligned_cases
    if not judged:
        st.info(f"No case could be judged: {_why(found)}.", icon=":material/help:")
    return not judged


def _counted(found: Conformance, judged: int) -> str:
    text = f"**{whole(judged)}** judged cases, all closed"
    if _left_out(found):
        text += f" · not judged: {_why(found)}"
    return text


def _left_out(found: Conformance) -> int:
    return found.open_cases + found.unmodelled_cases + found.unaligned_cases


def _why(found: Conformance) -> str:
    reasons = [
        f"{plural(count, 'case')} {words}"
        for count, words in (
            (found.open_cases, "still open"),
            (found.unmodelled_cases, "of versions without a model"),
            (found.unaligned_cases, "without an optimal alignment in the time"),
        )
        if count
    ]
    return ", ".join(reasons) or "none left out"


def _notes(found: Conformance) -> None:
    if not found.notes:
        return
    unsound = [note for note in found.notes if "not sound" in note]
    for note in unsound[:3]:
        st.warning(markdown(note, 500), icon=":material/warning:")
    others = [note for note in found.notes if note not in unsound]
    if others:
        with st.expander(f"What to know of the model: {plural(len(others), 'note')}"):
            st.markdown("\n".join(f"- {markdown(note, 500)}" for note in others[:_MOST_NOTES]))
            if len(others) > _MOST_NOTES:
                st.caption(f"and {len(others) - _MOST_NOTES:,} more")


def _quality(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
