"""Discovery against pm4py on the events themselves, on real logs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.xes import XesFile
from miner.discovery.discover import ALGORITHMS, Algorithm, discover, paths_of
from miner.model.bpmn_writer import to_bpmn
from miner.model.process_model import model_of_net
from miner.r4pm_bridge import PlainNet, alignments
from tests.discovery.test_discover import found_in, traces, variants_of
from tests.model.languages import of_automaton, of_pm4py, read_bpmn


class Reductions(NamedTuple):
    paths: pl.DataFrame
    variants: pl.DataFrame


def reductions_of(events: pl.DataFrame) -> Reductions:
    """Paths and variants of events with `case_id` and `activity`, in order."""
    sequences = events.group_by("case_id", maintain_order=True).agg(activities="activity")
    variants = sequences.group_by("activities").agg(pl.len().cast(pl.Int64).alias("cases"))
    order = pl.col("activities").list.join("\x1f")
    variants = variants.sort(pl.col("cases"), order, descending=[True, False])
    return Reductions(paths_of(variants), variants)


def read(folder: Path, name: str) -> Reductions:
    if name == "receipt":
        names = {"case:concept:name": "case_id", "concept:name": "activity"}
        table = pl.read_csv(folder / "receipt.csv.gz", infer_schema=False).rename(names)
        return reductions_of(table.sort("case_id", "time:timestamp", maintain_order=True))
    events = pl.concat(XesFile(str(folder / f"{name}.xes.gz")).read())
    if name == "bpic2012":
        events = events.filter(pl.col("lifecycle").str.to_lowercase() == "complete")
    return reductions_of(events.sort("case_id", "timestamp", "position"))


@pytest.fixture(scope="module", params=["receipt", "sepsis", "bpic2012"])
def real(request: pytest.FixtureRequest, shared_logs: Path) -> Iterator[Reductions]:
    yield read(shared_logs / "real", request.param)


def frame_of(variants: pl.DataFrame) -> Any:
    """The variants as a log of pm4py with a case for each case."""
    import pandas as pd

    events = (
        variants.select(pl.col("activities").repeat_by("cases").explode())
        .with_row_index("case")
        .explode("activities")
    )
    frame = pd.DataFrame(
        {
            "case:concept:name": events["case"].cast(pl.String).to_list(),
            "concept:name": events["activities"].to_list(),
        }
    )
    frame["time:timestamp"] = pd.date_range("2026-01-01", periods=len(frame), freq="s", tz="UTC")
    return frame


def text_of(tree: Any) -> str:
    return str(tree).replace("\\'", "'")


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_tree_of_variants_is_the_one_pm4py_finds_in_the_events(
    real: Reductions, noise: float
) -> None:
    found = discover(*real, name="real", algorithm="inductive-variants", noise=noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py

        # How many cases a variant has plays no part without noise.
        variants = real.variants if noise else real.variants.with_columns(cases=1)
        expected = pm4py.discover_process_tree_inductive(frame_of(variants), noise)
    assert found.model.process_tree == text_of(expected)
    assert found.covered_cases == found.cases
    if noise == 0:
        assert (found.fitness, found.quality.fitting_cases) == (1.0, found.cases)


def test_the_tree_of_paths_is_the_one_pm4py_finds_in_them(real: Reductions) -> None:
    found = discover(*real, name="real", noise=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py
        from pm4py.objects.dfg.obj import DFG

        graph = pm4py.discover_dfg(frame_of(real.variants))
        expected = pm4py.discover_process_tree_inductive(DFG(*graph))
    assert found.model.process_tree == text_of(expected)
    assert found.fitness == 1.0


def test_discovery_with_all_qualities_takes_seconds(real: Reductions) -> None:
    discover(*real, name="warm")
    begin = time.perf_counter()
    found = discover(*real, name="real")
    assert time.perf_counter() - begin < 10
    assert found.fitness_covered_cases == found.cases
    assert found.fitness is not None and found.fitness > 0.9
    assert found.precision is not None


@settings(max_examples=30, deadline=None)
@given(traces)
def test_the_heuristics_net_is_the_one_pm4py_finds_in_the_events(counts: dict[str, int]) -> None:
    found = found_in(counts, algorithm="heuristics", noise=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py

        net = pm4py.discover_petri_net_heuristics(frame_of(variants_of(counts)))
    assert of_automaton(model_of_net("heuristics", found.model.net), 4) == of_pm4py(*net, 4)


@pytest.mark.parametrize("pair", ["BPIC2013-ClosedProblems", "BPIC2020-DomesticDeclarations"])
def test_alignment_costs_on_real_models_are_those_of_prom(shared_logs: Path, pair: str) -> None:
    folder = shared_logs / "conformance"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py

        net, initial, final = pm4py.read_pnml(str(folder / f"{pair}.pnml"))
    plain = PlainNet(
        [place.name for place in net.places],
        {transition.name: transition.label for transition in net.transitions},
        [(arc.source.name, arc.target.name, arc.weight) for arc in net.arcs],
        {place.name: count for place, count in initial.items()},
        {place.name: count for place, count in final.items()},
    )
    table = pl.read_parquet(folder / "expected_alignments.parquet")
    table = table.filter((pl.col("pair") == pair) & (pl.col("source") == "ProM-Astar"))
    expected = {tuple(trace): cost for trace, cost in table.select("trace", "cost").iter_rows()}
    found = alignments(plain, list(expected), over=lambda: False)
    assert {trace: alignment.cost for trace, alignment in found.items() if alignment} == expected


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(traces, st.sampled_from(ALGORITHMS))
def test_bpmn_of_what_was_found_has_the_traces_of_the_net(
    tmp_path: Path, counts: dict[str, int], algorithm: Algorithm
) -> None:
    model = found_in(counts, algorithm=algorithm).model
    net = read_bpmn(to_bpmn(model), tmp_path)
    assert of_pm4py(*net, 4) == of_automaton(model_of_net("net", model.net), 4)
