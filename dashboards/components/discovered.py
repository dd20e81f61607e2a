"""A model discovered in the log, with its qualities."""

from __future__ import annotations

import streamlit as st

from dashboards.components.downloads import downloads
from dashboards.components.figures import key_figures
from dashboards.components.picture import picture
from dashboards.maps import frequent_variants, left_out
from dashboards.results import Selection, derived, result_of
from dashboards.units import UNKNOWN, markdown, share, short, whole
from miner import directly_follows
from miner.discovery.discover import ALGORITHMS, Algorithm, Discovered, discover
from miner.model.bpmn_writer import to_bpmn
from miner.model.picture import model_svg
from miner.model.pnml import to_pnml

_NAMES: dict[Algorithm, str] = {
    "inductive": "Inductive miner on paths",
    "inductive-variants": "Inductive miner on variants",
    "heuristics": "Heuristics miner",
    "dfg": "Directly-follows graph",
}


def discovered_model(selection: Selection) -> None:
    """Choices, qualities, picture and files of a discovered model."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        algorithm: Algorithm = st.selectbox(
            "Algorithm", list(ALGORITHMS), format_func=lambda name: _NAMES[name],
            key="algorithm", bind="query-params", width=280,
        ) or "inductive"  # fmt: skip
        noise = st.slider(
            "Noise left out", 0, 90, 20, step=5, format="%d %%", key="noise", bind="query-params",
            width=260, help="Paths rarer than this share of the strongest one beside them",
        )  # fmt: skip
    with st.spinner("Discovering a model and aligning the log with it"):
        found = derived(_discovered, selection, algorithm=algorithm, noise=noise)
    _qualities(found)
    for note in filter(None, (*found.notes, left_out(selection))):
        st.caption(markdown(note, 400))
    label = f"Model of {short(selection.process)} by {_NAMES[algorithm].lower()}"
    picture(
        derived(_picture, selection, algorithm=algorithm, noise=noise), label=label, key="model"
    )
    downloads(
        selection.process,
        {
            "model.bpmn": lambda: to_bpmn(found.model),
            "model.pnml": lambda: to_pnml(found.model),
            "model.svg": lambda: model_svg(found.model),
        },
    )


def _discovered(selection: Selection, *, algorithm: Algorithm, noise: int) -> Discovered:
    return discover(
        result_of(directly_follows, selection),
        result_of(frequent_variants, selection),
        name=selection.process,
        algorithm=algorithm,
        noise=noise / 100,
    )


def _picture(selection: Selection, *, algorithm: Algorithm, noise: int) -> str:
    return model_svg(derived(_discovered, selection, algorithm=algorithm, noise=noise).model)


def _qualities(found: Discovered) -> None:
    covered = (
        f"Alignment fitness over {whole(found.fitness_covered_cases)} of {whole(found.cases)} cases"
    )
    fitting = share(found.quality.fitting_cases, found.cases)
    key_figures(
        {
            "Fitness": (_quality(found.fitness), covered),
            "Precision": (
                _quality(found.precision),
                "How little the model allows that never happens",
            ),
            "Generalization": (
                _quality(found.generalization),
                "How well its activities are supported",
            ),
            "Simplicity": (_quality(found.simplicity), "How few arcs places and transitions have"),
            "Cases that fit": (fitting, f"Without any deviation, of {whole(found.cases)} cases"),
        }
    )


def _quality(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
