"""The allow-list: accepted deviations, for whom, where and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from miner.conformance.allowances import Allowance, allow, allowances, withdraw
from miner.conformance.conform import conformance
from miner.conformance.deviations import deviations
from miner.errors import InputError, UnknownNameError
from miner.eventlog import audit
from miner.eventlog.store import EventStore
from tests.conformance.models import held_against, sequence
from tests.logs import events_of

AB = sequence("a", "b")
TRACES = {"fits": "a@0 b@1", "skips": "a@0", "adds": "a@0 x@1 b@2", "both": "x@0 a@1"}
TOMORROW = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
SKIPPED = Allowance("skipped", "b", "the printer is broken", "ann", "ben", TOMORROW)


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    found = EventStore(tmp_path / "store")
    events = events_of(TRACES).with_columns(
        process_version=pl.when(pl.col("case_id") == "adds")
        .then(pl.lit("2"))
        .otherwise(pl.lit("1")),
        case_attributes=pl.concat_str(
            pl.lit('{"region": "'), pl.col("case_id").str.slice(0, 1), pl.lit('"}')
        ),
    )
    with found.write() as writer:
        writer.append(events, source="s", process="p")
    return found


def accepted(store: EventStore) -> tuple[int, int]:
    """Cases that conform, and those that do or are accepted."""
    found = conformance(held_against(store.log("p"), AB))
    return found.conforming_cases, found.accepted_cases


def test_figures_are_shown_before_and_after_the_allow_list(store: EventStore) -> None:
    assert accepted(store) == (1, 1)
    assert allow(store, "p", SKIPPED) == 1
    assert accepted(store) == (1, 2)  # `both` has another deviation, which is not accepted
    assert allow(store, "p", Allowance("extra", "x", "r", "ann", "ben", TOMORROW)) == 2
    assert accepted(store) == (1, 4)
    found = deviations(held_against(store.log("p"), AB))
    assert found["allowed"].all() and found.height == 4


@pytest.mark.parametrize(
    ("scope", "cases"),
    [
        ({"version": "2"}, 2),
        ({"version": "1"}, 1),
        ({"attribute": "region", "attribute_value": "a"}, 2),
        ({"attribute": "region", "attribute_value": "z"}, 1),
        ({"activity": None}, 2),
        ({"kind": None}, 2),
    ],
)
def test_an_allowance_counts_only_where_it_is_for(
    store: EventStore, scope: dict[str, str], cases: int
) -> None:
    allow(store, "p", replace(Allowance("extra", "x", "r", "ann", "ben", TOMORROW), **scope))
    assert accepted(store)[1] == cases


def test_what_is_withdrawn_counts_again(store: EventStore) -> None:
    number = allow(store, "p", SKIPPED)
    withdraw(store, "p", number, reason="repaired")
    assert accepted(store) == (1, 1)
    with pytest.raises(UnknownNameError):
        withdraw(store, "p", number, reason="repaired")
    assert allowances(store.log("p"))["in_force"].to_list() == [False]


def test_what_is_past_its_day_counts_again(store: EventStore) -> None:
    allow(store, "p", SKIPPED)
    with store.write() as writer, writer.transaction():
        writer.connection.execute("update allowance set expires_at = now()::timestamp")
    assert accepted(store) == (1, 1)
    assert allowances(store.log("p"))["in_force"].to_list() == [False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"owner": ""}, "needs an owner"),
        ({"approver": ""}, "needs an approver"),
        ({"approver": "Ann "}, "cannot approve an allowance of their own"),
        ({"kind": "skiped"}, "Did you mean 'skipped'?"),
        ({"kind": None, "activity": None}, "would hide them all"),
        ({"expires_at": datetime(2020, 1, 1)}, "is over already"),
        ({"attribute": "region"}, "needs the value"),
        ({"version": "7"}, "There is no version named '7'"),
    ],
)
def test_an_allowance_that_cannot_be_is_refused(
    store: EventStore, change: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        allow(store, "p", replace(SKIPPED, **change))
    assert said in str(refused.value)
    assert allowances(store.log("p")).is_empty()


def test_every_change_is_in_the_audit_trail(store: EventStore) -> None:
    withdraw(store, "p", allow(store, "p", SKIPPED), reason="repaired")
    text = (store.folder / audit.FILE).read_text()
    assert '"action": "allow"' in text and '"approver": "ben"' in text
    assert '"action": "withdraw"' in text and '"reason": "repaired"' in text
    assert audit.broken_at(store.folder) is None
