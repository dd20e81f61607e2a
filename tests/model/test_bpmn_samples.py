from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from lxml import etree

from miner.discovery.automaton import Automaton
from miner.model.bpmn_net import read_bpmn
from miner.model.bpmn_writer import to_bpmn
from miner.model.reading import read_model_file
from miner.model.soundness import soundness
from sample_logs.catalogue import SampleLog, catalogue
from tests.model.languages import of_automaton

SAMPLES = {sample.name: sample for sample in catalogue()}
FOLDER = SAMPLES["order_to_cash"].path.parent
XES = "{http://www.xes-standard.org/}"


def orders() -> pl.DataFrame:
    return pl.read_csv(SAMPLES["order_to_cash"].path).sort("case_id", "end_time")


def hires() -> pl.DataFrame:
    sample: SampleLog = SAMPLES["employee_onboarding"]
    text = sample.path.read_bytes().decode(sample.format["encoding"])
    rows = pl.read_csv(text.encode(), separator=sample.format["delimiter"]).rename(
        {sample.options["case"]: "case_id", sample.options["activity"]: "activity"}
    )
    ended = pl.col(sample.options["timestamp"]).str.to_datetime("%d.%m.%Y %H:%M")
    return rows.with_columns(ended.alias("at")).drop_nulls("at").sort("case_id", "at")


def claims() -> pl.DataFrame:
    rows = []
    with gzip.open(SAMPLES["insurance_claims"].path) as file:
        for _, trace in etree.iterparse(file, tag=f"{XES}trace"):
            (case,) = (child.get("value") for child in trace if child.get("key") == "concept:name")
            for event in trace.iterchildren(f"{XES}event"):
                values = {child.get("key"): child.get("value") for child in event}
                if values["lifecycle:transition"] == "complete":
                    rows.append((case, values["concept:name"], values["time:timestamp"]))
    columns = ["case_id", "activity", "timestamp"]
    return pl.DataFrame(rows, schema=columns, orient="row").sort("case_id", "timestamp")


def payments() -> pl.DataFrame:
    rows = pl.read_ndjson(SAMPLES["payment_saga"].path, infer_schema_length=None)
    done = rows.unique("event_id").filter(pl.col("lifecycle") == "complete")
    return done.sort("case_id", "timestamp", "event_id")


def nights(version: str) -> pl.DataFrame:
    rows = pl.read_parquet(SAMPLES["nightly_pipeline"].path).sort("case_id", "timestamp")
    return rows.filter(pl.col("process_version") == version, pl.col("lifecycle") == "complete")


def share_that_fits(model: Path, *logs: pl.DataFrame) -> float:
    automaton = Automaton(read_model_file(model).model)
    traces = [
        trace
        for log in logs
        for trace in log.group_by("case_id", maintain_order=True).agg("activity")["activity"]
    ]
    return sum(fits(automaton, trace) for trace in traces) / len(traces)


def fits(automaton: Automaton, trace: Iterable[str]) -> bool:
    state: int | None = 0
    for activity in trace:
        state = None if state is None else automaton.moves(state).get(activity)
    return state is not None and automaton.accepts(state)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.bpmn")), ids=lambda path: path.stem)
def test_the_models_of_the_samples_are_sound_and_said_exactly(path: Path) -> None:
    found = read_model_file(path)
    assert soundness(found.model.net).sound, path
    assert found.remarks == ()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.bpmn")), ids=lambda path: path.stem)
def test_what_is_written_of_a_model_that_was_read_has_the_same_language(path: Path) -> None:
    model = read_model_file(path).model
    again = read_bpmn(to_bpmn(model)).model
    assert of_automaton(again, 7) == of_automaton(model, 7)


def test_most_orders_fit_one_of_the_versions() -> None:
    found = orders()
    versions = [FOLDER / f"order_to_cash{version}.bpmn" for version in ("_v1", "")]
    assert sum(share_that_fits(path, found) for path in versions) > 0.9


def test_most_new_hires_fit() -> None:
    assert share_that_fits(FOLDER / "employee_onboarding.bpmn", hires()) > 0.8


def test_most_claims_fit() -> None:
    assert share_that_fits(FOLDER / "insurance_claims.bpmn", claims()) > 0.8


def test_most_payments_fit() -> None:
    assert share_that_fits(FOLDER / "payment_saga.bpmn", payments()) > 0.8


@pytest.mark.parametrize(("ending", "version"), [("_v1", "v1"), ("_v2", "v2"), ("", "v3")])
def test_most_nights_fit_the_version_they_ran_on(ending: str, version: str) -> None:
    assert share_that_fits(FOLDER / f"nightly_pipeline{ending}.bpmn", nights(version)) > 0.8
