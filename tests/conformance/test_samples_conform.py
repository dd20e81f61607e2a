"""The deviations that were put into the sample logs are found again, exactly."""

from __future__ import annotations

import polars as pl
import pytest

from ingest.samples import load_samples
from miner.conformance.conform import Conformance, conformance
from miner.conformance.held import Held, hold
from miner.conformance.over_time import change_of_conformance, deviation_matrix
from miner.conformance.workflows import of_version, own_versions
from miner.eventlog.store import EventStore
from miner.progress import Progress
from sample_logs.catalogue import catalogue


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    found = EventStore(tmp_path_factory.mktemp("samples") / "store")
    load_samples(found, Progress, lambda _text: None)
    return found


def held(store: EventStore, process: str) -> Held:
    log = store.log(process)
    return hold(log, own_versions(log))


def by_kind(found: Conformance) -> dict[tuple[str, str], int]:
    return {
        (row["kind"], row["activity"]): row["cases"]
        for row in found.deviations.iter_rows(named=True)
    }


def test_the_deviations_of_order_to_cash_are_those_of_its_catalogue(store: EventStore) -> None:
    found = by_kind(conformance(held(store, "order-to-cash")))
    truths = {
        (truth["what"], truth["activity"]): truth["cases"]
        for log in catalogue()
        if log.process == "order-to-cash"
        for truth in log.truths_of("deviation")
    }
    # Where two activities changed places, either can be called the one out of order.
    swapped = sum(cases for (kind, _), cases in found.items() if kind == "swapped")
    assert swapped == truths.pop(("swapped", "Check stock"))
    assert {key: cases for key, cases in found.items() if key[0] != "swapped"} == truths


@pytest.mark.parametrize("process", ["insurance-claims", "payment-saga"])
def test_a_log_without_deviations_conforms(store: EventStore, process: str) -> None:
    found = conformance(held(store, process))
    assert found.cases > 1_000
    assert (found.conforming_cases, found.fitness, found.total_cost) == (found.cases, 1.0, 0)


def test_the_tasks_that_people_cleared_are_what_deviates_in_the_pipeline(
    store: EventStore,
) -> None:
    matrix = deviation_matrix(held(store, "nightly-pipeline"))
    repeated = matrix.filter(pl.col("kind") == "repeated")
    assert repeated["version"].unique().sort().to_list() == ["v1", "v2", "v3"]
    log = store.log("nightly-pipeline")
    cleared = log.row('select count(*) as n from "case" where interventions > 0')["n"]
    assert repeated["cases"].sum() == pytest.approx(cleared, abs=3)


def test_the_day_of_the_drift_shows_against_the_new_version(store: EventStore) -> None:
    log = store.log("order-to-cash")
    change = change_of_conformance(hold(log, of_version(log, "v2")))
    (day,) = {
        truth["day"]
        for sample in catalogue()
        if sample.process == "order-to-cash"
        for truth in sample.truths_of("drift")
    }
    assert change["at"].item().date() == day
    assert change["rate_before"].item() < 0.05 < 0.9 < change["rate_after"].item()
