"""What was put into the sample logs is found again by the commands and analyses themselves."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from click.testing import CliRunner

from miner import (
    EventStore,
    LogFilter,
    activities,
    bottlenecks,
    failures,
    log_quality,
    resource_times,
    rework,
    summary,
)
from miner.__main__ import main
from miner.eventlog.log import EventLog
from sample_logs.catalogue import SampleLog, catalogue

SAMPLES = {sample.name: sample for sample in catalogue()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    folder = tmp_path_factory.mktemp("samples") / "store"
    shown = _run("demo", "--no-serve", "--store", str(folder))
    assert [row["process"] for row in shown] == [s.process for s in SAMPLES.values()]
    return EventStore(folder)


@pytest.fixture
def logs(store: EventStore) -> dict[str, EventLog]:
    return {name: store.log(sample.process) for name, sample in SAMPLES.items()}


def _run(*command: str) -> Any:
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def truths(kind: str) -> list[Any]:
    """The truths of a kind in all logs, as parameters."""
    return [
        pytest.param(sample.name, truth, id=f"{sample.name}-{number}")
        for sample in SAMPLES.values()
        for number, truth in enumerate(sample.truths)
        if truth.kind == kind
    ]


def test_demo_again_adds_nothing(store: EventStore) -> None:
    before = store.snapshot().version
    result = CliRunner().invoke(main, ["demo", "--no-serve", "--store", str(store.folder)])
    assert result.exit_code == 0
    assert result.stderr.count(" 0 new, ") == len(SAMPLES)
    assert store.snapshot().version == before


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))
def test_the_counts_are_those_of_the_catalogue(
    sample: SampleLog, logs: dict[str, EventLog]
) -> None:
    figures, known = summary(logs[sample.name]), sample.counts
    assert figures.cases == known["cases"]
    assert figures.events == known["events"]
    assert figures.activities == known["activities"]
    if sample.name != "employee_onboarding":  # two of its five open cases just stop
        assert figures.open_cases == known["open_cases"]
    if "activity_instances" in known:
        assert activities(logs[sample.name])["frequency"].sum() == known["activity_instances"]
    if "completed_cases" in known:
        failed = known["failed_cases"] + known.get("timed_out_cases", 0)
        assert figures.failed_cases == failed
        assert figures.closed_cases - failed == known["completed_cases"]
    if "failed_attempts" in known:
        assert failures(logs[sample.name])["failed_attempts"].sum() == known["failed_attempts"]


def test_an_open_case_needs_something_that_runs(logs: dict[str, EventLog]) -> None:
    """Nothing in a table says of a case that just stops whether more will come."""
    known = SAMPLES["employee_onboarding"].counts
    assert summary(logs["employee_onboarding"]).open_cases == known["running_instances"] == 3


def test_nothing_is_rejected(store: EventStore) -> None:
    assert _run("rejected", "--store", str(store.folder)) == []


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))
def test_duplicates_are_dropped_and_counted(sample: SampleLog, store: EventStore) -> None:
    (row,) = _run("loads", "--process", sample.process, "--store", str(store.folder))
    assert row["duplicate"] == sample.counts["duplicates"]
    assert row["new"] == sample.counts["events"]
    assert row["read"] == row["new"] + row["duplicate"]


def test_names_come_through_whatever_the_encoding(logs: dict[str, EventLog]) -> None:
    file = SAMPLES["employee_onboarding"].path.read_bytes().decode("windows-1252")
    names = set(resource_times(logs["employee_onboarding"])["resource"])
    assert len(names) > 5
    assert {name for name in names if name not in file} == set()


def test_late_events_are_counted_exactly(logs: dict[str, EventLog]) -> None:
    found = log_quality(logs["payment_saga"])
    late = found.filter(finding="events that stand in the source after later ones")["count"].item()
    assert late == SAMPLES["payment_saga"].counts["late_events"]


@pytest.mark.parametrize(("name", "truth"), truths("bottleneck"))
def test_the_bottleneck_comes_first(name: str, truth: Any, logs: dict[str, EventLog]) -> None:
    found = bottlenecks(logs[name]).filter(pl.col("previous_activity").is_null())
    if name == "payment_saga":  # completions only, and shipping takes long without any waiting
        assert truth.values["activity"] in found["activity"].head(3).to_list()
        return
    assert found["activity"][0] == truth.values["activity"]


@pytest.mark.parametrize("name", ["order_to_cash", "employee_onboarding"])
def test_its_waiting_adds_up_to_the_second(name: str, logs: dict[str, EventLog]) -> None:
    """The measure of these truths is ours: last completion before it in the case, to its start."""
    (truth,) = [truth for truth in SAMPLES[name].truths if truth.kind == "bottleneck"]
    found = bottlenecks(logs[name]).filter(
        pl.col("previous_activity").is_null(), activity=truth.values["activity"]
    )
    expected = truth.values["total_waiting_seconds"]
    assert found["total_waiting"].item().total_seconds() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("name", "truth"), truths("rework"))
def test_rework_is_counted_exactly(name: str, truth: Any, logs: dict[str, EventLog]) -> None:
    found = rework(logs[name]).filter(activity=truth.values["activity"])
    assert found["rework_cases"].item() == truth.values["cases"]
    assert found["rework_instances"].item() == truth.values["repetitions"]


@pytest.mark.parametrize(("name", "truth"), truths("retries"))
def test_retries_are_counted_exactly(name: str, truth: Any, logs: dict[str, EventLog]) -> None:
    assert summary(logs[name]).retries == truth.values["count"]
    assert failures(logs[name])["retries"].sum() == truth.values["count"]
    assert rework(logs[name])["retries"].sum() == truth.values["count"]


@pytest.mark.parametrize(("name", "truth"), truths("interventions"))
def test_interventions_are_counted_exactly(
    name: str, truth: Any, logs: dict[str, EventLog]
) -> None:
    assert summary(logs[name]).interventions == truth.values["count"]


@pytest.mark.parametrize(("name", "truth"), truths("bad_resource"))
def test_the_bad_resource_stands_out_among_those_who_do_the_same(
    name: str, truth: Any, logs: dict[str, EventLog]
) -> None:
    wanted, found = truth.values["resource"], resource_times(logs[name])
    if "failed" in truth.values["measure"]:
        alike = found.filter(pl.col("resource").str.starts_with(wanted.rstrip("0123456789")))
        share = (pl.col("failed_instances") / pl.col("instances")).alias("bad")
        worst = alike.select("resource", share).sort("bad", descending=True)
        assert worst["bad"][0] == pytest.approx(truth.values["value"], abs=5e-5)
    else:
        colleagues = logs[name].query(
            """
            select distinct r.resource
            from activity_instance as i
            join activity as a using (activity_key)
            join resource as r using (resource_key)
            where a.activity = $activity
            order by r.resource
            """,
            pl.Schema({"resource": pl.String()}),
            activity=truth.values["activity"],
        )
        alike = found.join(colleagues, on="resource", how="semi")
        worst = alike.sort("median_service", descending=True)
    assert worst["resource"][0] == wanted


@pytest.mark.parametrize(("name", "truth"), truths("drift"))
def test_before_and_after_the_drift_the_shares_are_as_simulated(
    name: str, truth: Any, logs: dict[str, EventLog]
) -> None:
    values = truth.values
    first_day = _midnight(values["day"], values["timezone"])
    before = logs[name].filter(LogFilter.of(f"not since {first_day}"))
    after = logs[name].filter(LogFilter.of(f"since {first_day}"))
    if "until" in values:
        after = after.filter(
            LogFilter.of(f"not since {_midnight(values['until'], values['timezone'])}")
        )
    if "next_activity" in values:
        condition = LogFilter.of(f"follows {values['activity']}>{values['next_activity']}")
    else:
        condition = LogFilter.of(f"activity {values['activity']}")
    assert _share(before, condition) == pytest.approx(values["share_before"], abs=5e-5)
    assert _share(after, condition) == pytest.approx(values["share_after"], abs=5e-5)


def test_extra_work_is_in_as_many_cases_as_simulated(logs: dict[str, EventLog]) -> None:
    for truth in SAMPLES["order_to_cash"].truths_of("deviation"):
        if truth["what"] == "extra":
            found = activities(logs["order_to_cash"]).filter(activity=truth["activity"])
            assert found["cases"].item() == truth["cases"]


def test_compensations_are_counted_exactly(logs: dict[str, EventLog]) -> None:
    (truth,) = SAMPLES["payment_saga"].truths_of("compensations")
    found = activities(logs["payment_saga"]).filter(pl.col("activity").is_in(truth["activities"]))
    assert found["frequency"].sum() == truth["count"]
    kept = logs["payment_saga"]
    for name in truth["activities"]:
        kept = kept.filter(LogFilter.of(f"without-activity {name}"))
    assert summary(logs["payment_saga"]).cases - summary(kept).cases == truth["cases"]


def test_the_verdicts_of_the_engine_are_kept(logs: dict[str, EventLog]) -> None:
    known = SAMPLES["nightly_pipeline"].counts
    for status in ("failed", "timed_out", "completed"):
        found = summary(logs["nightly_pipeline"].filter(LogFilter.of(f"status {status}")))
        assert found.cases == known[f"{status}_cases"]


def _midnight(day: date, zone: str) -> str:
    return datetime.combine(day, time(), ZoneInfo(zone)).isoformat()


def _share(log: EventLog, condition: LogFilter) -> float:
    return summary(log.filter(condition)).cases / summary(log).cases
