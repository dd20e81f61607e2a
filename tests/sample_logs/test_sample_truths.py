"""What the simulation put into the logs is found in the files."""

from datetime import date, datetime, time
from typing import Any

import polars as pl
import pytest

from sample_logs.catalogue import SampleLog

TESTED = {
    "bottleneck",
    "drift",
    "bad_resource",
    "rework",
    "deviation",
    "working_hours",
    "duplicates",
    "late_events",
    "retries",
    "interventions",
    "compensations",
}
UNDONE_BY = {
    "Reserve stock": "Release stock",
    "Charge card": "Refund payment",
    "Arrange shipment": "Cancel shipment",
}


def the_truth(sample: SampleLog, kind: str, **having: Any) -> dict[str, Any]:
    found = [t for t in sample.truths_of(kind) if having.items() <= t.items()]
    assert len(found) == 1, (kind, having)
    return found[0]


def test_every_kind_of_truth_has_a_test(samples: dict[str, SampleLog]) -> None:
    assert {truth.kind for sample in samples.values() for truth in sample.truths} == TESTED


@pytest.mark.parametrize("name", ["order_to_cash", "employee_onboarding"])
def test_the_bottleneck_waits_longest_after_the_last_completion(
    name: str, samples: dict[str, SampleLog], orders: pl.DataFrame, hires: pl.DataFrame
) -> None:
    instances = {"order_to_cash": orders, "employee_onboarding": hires}[name]
    _assert_bottleneck(_waiting_since_completion(instances), samples[name])


def test_the_bottleneck_of_the_claims_waits_longest_whichever_way_one_counts(
    samples: dict[str, SampleLog], claims: pl.DataFrame
) -> None:
    wide = claims.filter(pl.col("lifecycle").is_in(["schedule", "start", "complete"])).pivot(
        "lifecycle", index=["case_id", "instance", "activity"], values="timestamp"
    )
    scheduled = wide.select("activity", waited=pl.col("start") - pl.col("schedule"))
    _assert_bottleneck(scheduled, samples["insurance_claims"])
    instances = wide.rename({"start": "started_at", "complete": "completed_at"})
    since = _totals(_waiting_since_completion(instances.drop_nulls("started_at")))
    assert since["activity"][0] == "Assess claim"


def test_the_bottleneck_of_the_runs_waits_longest_whichever_way_one_counts(
    samples: dict[str, SampleLog], runs: pl.DataFrame
) -> None:
    pairs = [
        runs.filter(lifecycle=lifecycle).with_columns(
            nth=pl.int_range(pl.len()).over("case_id", "activity")
        )
        for lifecycle in ("scheduled", "start")
    ]
    both = pairs[0].join(pairs[1], on=["case_id", "activity", "nth"], suffix="_start")
    waited = both.select("activity", waited=pl.col("timestamp_start") - pl.col("timestamp"))
    _assert_bottleneck(waited, samples["nightly_pipeline"])
    ends = runs.filter(pl.col("lifecycle").is_in(["complete", "fail", "timeout"]))
    since = _since(pairs[1].rename({"timestamp": "started_at"}), ends)
    assert _totals(since)["activity"][0] == "Build facts"


def test_the_bottleneck_of_the_sagas_is_the_person(
    samples: dict[str, SampleLog], sagas: pl.DataFrame
) -> None:
    started = sagas.filter(lifecycle="start").rename({"timestamp": "started_at"})
    ends = sagas.filter(pl.col("lifecycle").is_in(["complete", "fail"]))
    _assert_bottleneck(_since(started, ends), samples["payment_saga"])


def test_stock_is_checked_right_after_receipt_from_the_day_of_the_drift_on(
    samples: dict[str, SampleLog], orders: pl.DataFrame
) -> None:
    drift = the_truth(samples["order_to_cash"], "drift")
    cases = orders.sort("completed_at", maintain_order=True).group_by("case_id")
    traces = cases.agg(pl.col("activity"), pl.col("started_at").min())
    relation = f">{drift['activity']}>{drift['next_activity']}>"
    traced = traces.select(
        day=pl.col("started_at").dt.convert_time_zone(drift["timezone"]).dt.date(),
        held=(">" + pl.col("activity").list.join(">") + ">").str.contains(relation, literal=True),
    )
    shares = [round(_share(traced.filter(side)), 4) for side in _sides(drift)]
    assert shares == [drift["share_before"], drift["share_after"]]
    assert drift["day"] == date(2026, 4, 13)
    assert shares[0] < 0.05 and shares[1] > 0.9


@pytest.mark.parametrize("activity", ["Extract stock", "Check quality"])
def test_a_new_activity_appears_on_the_day_of_the_drift(
    activity: str, samples: dict[str, SampleLog], runs: pl.DataFrame
) -> None:
    drift = the_truth(samples["nightly_pipeline"], "drift", activity=activity)
    traced = runs.group_by("case_id").agg(
        day=pl.col("timestamp").min().dt.date(), held=(pl.col("activity") == activity).any()
    )
    until = traced.filter(pl.col("day") < drift["until"])
    shares = [round(_share(until.filter(side)), 4) for side in _sides(drift)]
    assert shares == [drift["share_before"], drift["share_after"]]
    assert shares[0] < 0.05 and shares[1] > 0.9


@pytest.mark.parametrize("name", ["order_to_cash", "employee_onboarding"])
def test_the_bad_resource_takes_much_longer_than_the_others(
    name: str, samples: dict[str, SampleLog], orders: pl.DataFrame, hires: pl.DataFrame
) -> None:
    instances = {"order_to_cash": orders, "employee_onboarding": hires}[name]
    service = pl.col("completed_at") - pl.col("started_at")
    _assert_slow(instances.with_columns(service=service), samples[name])


def test_the_bad_adjuster_takes_much_longer_at_work(
    samples: dict[str, SampleLog], claims: pl.DataFrame
) -> None:
    at_work = pl.col("timestamp").diff().over("case_id", "instance")
    worked = claims.with_columns(worked=at_work).filter(
        pl.col("lifecycle").is_in(["suspend", "complete"])
    )
    instances = (
        worked.group_by("case_id", "instance", "activity", "resource")
        .agg(pl.col("worked").sum().alias("service"), pl.col("lifecycle"))
        .filter(pl.col("lifecycle").list.contains("complete"))
    )
    _assert_slow(instances, samples["insurance_claims"])


@pytest.mark.parametrize("name", ["nightly_pipeline", "payment_saga"])
def test_attempts_of_the_bad_resource_fail_much_more_often(
    name: str, samples: dict[str, SampleLog], runs: pl.DataFrame, sagas: pl.DataFrame
) -> None:
    bad = the_truth(samples[name], "bad_resource")
    ended = {"nightly_pipeline": runs, "payment_saga": sagas}[name].filter(
        pl.col("lifecycle").is_in(["complete", "fail", "timeout"])
    )
    if name == "nightly_pipeline":
        compared = ended.filter(pl.col("resource").str.starts_with(bad["others_named"]))
    else:
        compared = ended.filter(activity=bad["activity"])
    rates = dict(
        compared.group_by(pl.col("resource") == bad["resource"])
        .agg((pl.col("lifecycle") != "complete").mean())
        .iter_rows()
    )
    assert (round(rates[True], 4), round(rates[False], 4)) == (bad["value"], bad["others"])
    assert round(rates[True] / rates[False], 2) == bad["factor"]
    worst = compared.group_by("resource").agg(bad=(pl.col("lifecycle") != "complete").mean())
    assert worst.sort("bad")["resource"][-1] == bad["resource"]
    assert bad["factor"] > 2


def test_rework_is_as_frequent_as_the_catalogue_says(
    samples: dict[str, SampleLog], orders: pl.DataFrame, hires: pl.DataFrame, claims: pl.DataFrame
) -> None:
    instances = {
        "order_to_cash": orders,
        "employee_onboarding": hires,
        "insurance_claims": claims.filter(lifecycle="start"),
    }
    seen = 0
    for name, frame in instances.items():
        for truth in samples[name].truths_of("rework"):
            times = frame.filter(activity=truth["activity"]).group_by("case_id").len()
            again = times.filter(pl.col("len") > 1)["len"]
            assert (again.len(), again.sum() - again.len()) == (
                truth["cases"],
                truth["repetitions"],
            )
            seen += truth["cases"] > 0
    assert seen == 4


def test_deviations_of_the_orders_are_as_frequent_as_the_catalogue_says(
    samples: dict[str, SampleLog], orders: pl.DataFrame
) -> None:
    sample = samples["order_to_cash"]
    cases = orders.sort("completed_at", maintain_order=True).group_by("case_id")
    traces = cases.agg("activity", pl.col("process_version").first())
    names = pl.col("activity").list
    count = names.count_matches
    skipped = count("Check credit") > count("Approve order") + count("Reject order")
    is_new = pl.col("process_version") == "v2"
    for what, activity, condition in (
        ("skipped", "Approve order", skipped),
        ("extra", "Call customer", names.contains("Call customer")),
        ("swapped", "Check stock", is_new & names.slice(2).list.contains("Check stock")),
        ("skipped", "Check stock", is_new & ~names.contains("Check stock")),
    ):
        truth = the_truth(sample, "deviation", what=what, activity=activity)
        assert traces.filter(condition).height == truth["cases"] > 0


def test_people_work_in_their_working_hours_only(
    samples: dict[str, SampleLog], orders: pl.DataFrame
) -> None:
    hours = the_truth(samples["order_to_cash"], "working_hours")
    human = orders.filter(resource_kind="human")
    local = pl.concat([human["started_at"], human["completed_at"]]).dt.convert_time_zone(
        hours["timezone"]
    )
    assert set(local.dt.to_string("%A")) == set(hours["weekdays"])
    times = sorted(local.dt.time())
    assert times[0] == time(hours["opens"])
    assert time(hours["closes"] - 1, 55) < times[-1] <= time(hours["closes"])


def test_the_day_begins_at_nine_before_and_after_the_clocks_change(orders: pl.DataFrame) -> None:
    human = orders.filter(resource_kind="human").sort("started_at")
    first = human.group_by(pl.col("started_at").dt.date()).agg(
        pl.col("started_at").min().alias("at")
    )
    for day, hour in ((datetime(2026, 3, 27), 8), (datetime(2026, 3, 30), 7)):
        at = first.filter(pl.col("started_at") == day.date())["at"].item()
        assert (at.hour, at.minute) == (hour, 0)


def test_a_duplicate_is_the_same_line_twice(
    samples: dict[str, SampleLog], deliveries: pl.DataFrame
) -> None:
    lines = samples["payment_saga"].path.read_text(encoding="utf-8").splitlines()
    expected = the_truth(samples["payment_saga"], "duplicates")["count"]
    assert len(lines) - len(set(lines)) == expected > 0
    assert deliveries.height - deliveries["event_id"].n_unique() == expected


def test_late_events_come_after_later_ones_of_their_case(
    samples: dict[str, SampleLog], sagas: pl.DataFrame
) -> None:
    late = sagas.filter(pl.col("timestamp") < pl.col("timestamp").cum_max().over("case_id"))
    assert late.height == the_truth(samples["payment_saga"], "late_events")["count"] > 0


def test_retries_of_the_engine_are_the_later_attempts(
    samples: dict[str, SampleLog], runs: pl.DataFrame, sagas: pl.DataFrame
) -> None:
    again = runs.filter(pl.col("lifecycle") == "start", pl.col("attempt") > 1)
    assert again.height == the_truth(samples["nightly_pipeline"], "retries")["count"] > 0
    again = sagas.filter(pl.col("attempt") > 1)
    assert again.height == the_truth(samples["payment_saga"], "retries")["count"] > 0


def test_interventions_are_the_retries_of_people(
    samples: dict[str, SampleLog], runs: pl.DataFrame
) -> None:
    people = runs.filter(lifecycle="retry", resource_kind="human")
    assert people.height == the_truth(samples["nightly_pipeline"], "interventions")["count"] > 0
    assert runs.filter(lifecycle="retry").height == people.height


def test_compensations_undo_in_reverse_what_was_done(
    samples: dict[str, SampleLog], sagas: pl.DataFrame
) -> None:
    truth = the_truth(samples["payment_saga"], "compensations")
    done = sagas.filter(lifecycle="complete").sort("timestamp")
    undone = done.filter(pl.col("activity").is_in(truth["activities"]))
    assert (undone.height, undone["case_id"].n_unique()) == (truth["count"], truth["cases"])
    assert set(truth["activities"]) == set(UNDONE_BY.values())
    ended = sagas.filter(pl.col("case:status") == "failed")["case_id"]
    for (case_id,), case in done.filter(pl.col("case_id").is_in(ended.implode())).group_by(
        "case_id"
    ):
        names = case["activity"].to_list()
        expected = [UNDONE_BY[name] for name in reversed(names) if name in UNDONE_BY]
        assert [name for name in names if name in UNDONE_BY.values()] == expected, case_id


def test_transitions_of_a_claim_follow_the_lifecycle(claims: pl.DataFrame) -> None:
    traces = claims.group_by("case_id", "instance", maintain_order=True).agg("lifecycle")
    written = traces["lifecycle"].list.join(" ")
    rule = r"^(schedule)?( ?start( suspend resume)*( suspend| complete)?)?$"
    assert written.filter(~written.str.contains(rule)).to_list() == []


def _waiting_since_completion(instances: pl.DataFrame) -> pl.DataFrame:
    ends = instances.select("case_id", timestamp="completed_at").drop_nulls()
    return _since(instances, ends)


def _since(started: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """How long each start has waited since the last end of its case before it."""
    starts = started.select("case_id", "activity", "started_at").with_row_index("start")
    before = starts.join(ends.select("case_id", "timestamp"), on="case_id").filter(
        pl.col("timestamp") <= pl.col("started_at")
    )
    return before.group_by("start", "activity").agg(
        waited=(pl.col("started_at") - pl.col("timestamp")).min()
    )


def _totals(waited: pl.DataFrame) -> pl.DataFrame:
    return (
        waited.drop_nulls()
        .group_by("activity")
        .agg(seconds=pl.col("waited").dt.total_microseconds().sum() / 1e6)
        .sort("seconds", descending=True)
    )


def _assert_bottleneck(waited: pl.DataFrame, sample: SampleLog) -> None:
    truth = the_truth(sample, "bottleneck")
    totals = _totals(waited)
    activity, seconds = totals.row(0)
    assert (activity, round(seconds, 3)) == (truth["activity"], truth["total_waiting_seconds"])
    assert round(seconds / totals["seconds"].sum(), 4) == truth["share_of_waiting"]
    assert truth["share_of_waiting"] > 0.5


def _assert_slow(instances: pl.DataFrame, sample: SampleLog) -> None:
    bad = the_truth(sample, "bad_resource")
    compared = instances.filter(pl.col("activity") == bad["activity"]).drop_nulls("service")
    medians = dict(
        compared.group_by(pl.col("resource") == bad["resource"])
        .agg(pl.col("service").dt.total_microseconds().median() / 1e6)
        .iter_rows()
    )
    assert medians == {True: bad["value_seconds"], False: bad["others_seconds"]}
    assert round(medians[True] / medians[False], 2) == bad["factor"] > 2


def _sides(drift: dict[str, Any]) -> tuple[pl.Expr, pl.Expr]:
    return pl.col("day") < drift["day"], pl.col("day") >= drift["day"]


def _share(traced: pl.DataFrame) -> float:
    return float(traced["held"].sum()) / traced.height
