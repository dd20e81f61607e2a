"""The catalogue lists what is there and counts it right."""

import re
import subprocess
import sys

import polars as pl
import pytest

from sample_logs.catalogue import FOLDER, SampleLog, catalogue

LOGS = catalogue()
HEAVY = ("polars", "numpy", "lxml", "pm4py", "pandas", "duckdb")


def test_five_processes_are_in_the_catalogue() -> None:
    assert [sample.process for sample in LOGS] == [
        "order-to-cash",
        "insurance-claims",
        "employee-onboarding",
        "nightly-pipeline",
        "payment-saga",
    ]


def test_every_log_and_workflow_is_in_the_catalogue() -> None:
    listed = {sample.path for sample in LOGS} | {m.path for sample in LOGS for m in sample.models}
    endings = re.compile(r"\.(csv|xes\.gz|parquet|jsonl|bpmn)$")
    assert listed == {path for path in FOLDER.iterdir() if endings.search(path.name)}


@pytest.mark.parametrize("sample", LOGS, ids=lambda sample: sample.name)
def test_every_log_says_what_it_is(sample: SampleLog) -> None:
    assert sample.source in ("csv", "xes", "parquet", "jsonl")
    assert sample.title and sample.description and sample.owner
    assert {"cases", "events", "activities", "duplicates", "late_events", "open_cases"} <= set(
        sample.counts
    )


@pytest.mark.parametrize("sample", LOGS, ids=lambda sample: sample.name)
def test_versions_follow_each_other_without_a_gap(sample: SampleLog) -> None:
    first, last = sample.models[0], sample.models[-1]
    assert first.valid_from is None and last.valid_until is None
    for old, new in zip(sample.models, sample.models[1:], strict=False):
        assert old.valid_until is not None and new.valid_from is not None
        assert (new.valid_from - old.valid_until).days == 1


def test_the_catalogue_imports_nothing_heavy() -> None:
    code = f"import sample_logs.catalogue, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    assert found.stdout.strip() == "[]"


def test_counts_of_the_orders_are_true(samples: dict[str, SampleLog], orders: pl.DataFrame) -> None:
    assert samples["order_to_cash"].counts == {
        "rows": orders.height,
        "cases": orders["case_id"].n_unique(),
        "events": 2 * orders.drop_nulls(["started_at", "completed_at"]).height,
        "activity_instances": orders.height,
        "activities": orders["activity"].n_unique(),
        "duplicates": orders.height - orders.unique().height,
        "late_events": orders.height - orders.filter(pl.col("completed_at") >= _latest()).height,
        "open_cases": _without(orders, "Close order", "Reject order"),
    }


def test_counts_of_the_hires_are_true(samples: dict[str, SampleLog], hires: pl.DataFrame) -> None:
    running = hires["completed_at"].null_count()
    ended = hires.filter(pl.col("completed_at").is_not_null())
    cases = hires["case_id"].n_unique()
    assert samples["employee_onboarding"].counts == {
        "rows": hires.height,
        "cases": cases,
        "events": hires.height + ended.height,
        "activity_instances": hires.height,
        "running_instances": running,
        "activities": hires["activity"].n_unique(),
        "duplicates": hires.height - hires.unique().height,
        "late_events": 0,
        "open_cases": cases
        - ended.filter(pl.col("activity") == "Onboarding abschließen")["case_id"].n_unique(),
    }


def test_counts_of_the_claims_are_true(samples: dict[str, SampleLog], claims: pl.DataFrame) -> None:
    closed = claims.filter(activity="Close claim", lifecycle="complete")["case_id"].n_unique()
    running = claims.filter(status="running")["case_id"].n_unique()
    assert running == claims["case_id"].n_unique() - closed
    assert samples["insurance_claims"].counts == {
        "cases": claims["case_id"].n_unique(),
        "events": claims.height,
        "activity_instances": claims.select("case_id", "instance").n_unique(),
        "activities": claims["activity"].n_unique(),
        "duplicates": claims.height - claims.unique().height,
        "late_events": claims.height
        - claims.filter(pl.col("timestamp") >= _latest("timestamp")).height,
        "open_cases": running,
        "suspensions": claims.filter(lifecycle="suspend").height,
        "resumptions": claims.filter(lifecycle="resume").height,
    }


def test_counts_of_the_runs_are_true(samples: dict[str, SampleLog], runs: pl.DataFrame) -> None:
    verdicts = dict(runs.group_by("case:status").agg(pl.col("case_id").n_unique()).iter_rows())
    assert set(verdicts) == {"completed", "failed", "timed_out", "running"}
    assert samples["nightly_pipeline"].counts == {
        "rows": runs.height,
        "cases": runs["case_id"].n_unique(),
        "events": runs.height,
        "activities": runs["activity"].n_unique(),
        "duplicates": runs.height - runs.drop("position").unique().height,
        "late_events": runs.height
        - runs.filter(pl.col("timestamp") >= _latest("timestamp")).height,
        "completed_cases": verdicts["completed"],
        "failed_cases": verdicts["failed"],
        "timed_out_cases": verdicts["timed_out"],
        "open_cases": verdicts["running"],
        "failed_attempts": runs.filter(pl.col("lifecycle").is_in(["fail", "timeout"])).height,
    }


def test_counts_of_the_sagas_are_true(
    samples: dict[str, SampleLog], deliveries: pl.DataFrame, sagas: pl.DataFrame
) -> None:
    verdicts = dict(sagas["case:status"].drop_nulls().value_counts().iter_rows())
    assert sum(verdicts.values()) == sagas["case_id"].n_unique()
    assert samples["payment_saga"].counts == {
        "rows": deliveries.height,
        "cases": sagas["case_id"].n_unique(),
        "events": sagas["event_id"].n_unique(),
        "activities": sagas["activity"].n_unique(),
        "duplicates": deliveries.height - deliveries.drop("line").unique().height,
        "late_events": sagas.filter(pl.col("timestamp") < _latest("timestamp")).height,
        "completed_cases": verdicts["completed"],
        "failed_cases": verdicts["failed"],
        "open_cases": verdicts["running"],
    }


def _latest(column: str = "completed_at") -> pl.Expr:
    """The latest instant of the case up to this row of the file."""
    return pl.col(column).cum_max().over("case_id")


def _without(instances: pl.DataFrame, *last: str) -> int:
    ended = instances.filter(pl.col("activity").is_in(last))["case_id"].n_unique()
    return instances["case_id"].n_unique() - ended
