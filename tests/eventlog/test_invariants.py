"""What must be true of a store is checked, and a store of which it is not true is put right."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from miner.errors import StoreCorruptError, StoreError
from miner.eventlog import audit, invariants, landing, snapshots
from miner.eventlog.store import EventStore
from miner.eventlog.verify import repair, verify
from tests.eventlog.test_store import answer, load, traces
from tests.logs import events_of

TAMPERED = {
    "every event read by a load is accounted for": "update load set read = read + 1",
    "the store holds the events that its loads brought": (
        "delete from recorded_event where event_key = 1; "
        'update "case" set events = events - 1 where case_key = 1'
    ),
    "what corrections replaced is kept": (
        "update load set corrected = corrected + 1, read = read + 1"
    ),
    "what could not be used is in quarantine": (
        "update load set rejected = rejected + 1, read = read + 1"
    ),
    "the cases add up to the events": 'update "case" set events = events + 1',
    "the cases add up to the activity instances": "delete from detailed_instance where number = 1",
    "every case has a variant": "delete from variant",
    "every event belongs to a known case and activity": "update recorded_event set activity_key=99",
    "a case has one key": "insert into case_identity from case_identity limit 1",
    "an activity has one key": "insert into activity from activity limit 1",
    "an event with an id is there once": "insert into event_detail from event_detail limit 1",
    "a variant is there once and has a case": "insert into variant values (1, 99, [7])",
}


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    store = EventStore(tmp_path / "store")
    ids = pl.format("e{}", pl.col("position"))
    load(store, traces(0, 3).with_columns(event_id=ids))
    return store


def tamper(path: Path, statement: str) -> None:
    connection = duckdb.connect(path)
    connection.execute(statement)
    connection.close()


def failing(store: EventStore, *, thorough: bool = True) -> list[str]:
    return [f.statement for f in verify(store, thorough=thorough) if not f.holds]


def test_all_of_it_holds_of_a_store_that_nobody_touched(store: EventStore) -> None:
    assert failing(store) == []
    assert failing(store, thorough=False) == []
    assert repair(store) == []


@pytest.mark.parametrize("statement", [*invariants.QUICK, *invariants.THOROUGH])
def test_each_statement_is_false_of_a_store_that_breaks_it(
    store: EventStore, statement: str
) -> None:
    tamper(store.snapshot().path(store.folder), TAMPERED[statement])
    assert statement in failing(store)
    assert "the snapshot is byte for byte what was published" in failing(store)
    if statement in invariants.QUICK:
        assert statement in failing(store, thorough=False)


@pytest.mark.parametrize("statement", invariants.QUICK)
def test_a_store_that_contradicts_itself_is_not_written_to(
    store: EventStore, statement: str
) -> None:
    tamper(store.folder / "store.duckdb", TAMPERED[statement])
    told: list[str] = []
    with store.write(on_repair=told.append) as writer:
        found = invariants.findings(writer.connection, invariants.QUICK)
    assert all(finding.holds for finding in found)
    assert "was damaged; it is kept as" in told[0]
    assert answer(store.read()) == (12, 3)


def test_a_finding_says_what_differs(store: EventStore) -> None:
    connection = duckdb.connect(store.folder / "store.duckdb")
    connection.execute('update "case" set events = events + 1')
    found = invariants.findings(connection, invariants.QUICK)
    assert [finding.detail for finding in found if not finding.holds] == ["15 is not 12"]
    with pytest.raises(StoreCorruptError, match="the cases add up to the events, but 15 is not 12"):
        invariants.check_quickly(connection)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update detailed_instance set service_time = service_time + 1",
        "update detailed_instance set next_activity_key = null where number = 1",
        'update "case" set cycle_time = 0',
        "insert into repeated_path values (1, 1, 1, 2, 9)",
    ],
)
def test_derived_tables_that_differ_from_a_rebuild_are_found_and_made_anew(
    store: EventStore, statement: str
) -> None:
    with store.write() as writer:
        writer.connection.execute(statement)
        writer.republish()
    assert any("equal a full rebuild" in text for text in failing(store))
    assert any("were made anew" in text for text in repair(store))
    assert failing(store) == []
    assert repair(store) == []


def test_verifying_changes_nothing_and_leaves_nothing(store: EventStore) -> None:
    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}

    before = state()
    verify(store)
    assert state() == before


def test_verifying_does_not_wait_for_a_writer(store: EventStore) -> None:
    with store.write():
        found = {finding.statement: finding for finding in verify(store)}
    private = found["every value of the writer's own file can be read"]
    assert private.holds
    assert "being written" in private.detail


def test_verifying_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no events in"):
        verify(EventStore(tmp_path))


def test_the_audit_trail_and_the_landing_are_verified_too(
    store: EventStore, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    kept = landing.keep(store.folder, tmp_path / "a.csv")
    load(store, traces(3, 1))
    trail = store.folder / audit.FILE
    trail.write_text(trail.read_text().replace('"new": 12', '"new": 13'))
    (store.folder / landing.FOLDER / f"{kept.sha256}.gz").write_bytes(b"no")
    assert failing(store) == [
        "the landed file a.csv is what was given",
        "the audit trail is unbroken",
    ]


def test_repair_says_that_a_load_was_interrupted(store: EventStore) -> None:
    with store.write() as writer:
        writer.connection.execute("update load set finished = false, fingerprint = 'f'")
    assert repair(store) == ["A load was interrupted; run it again to finish it."]


def test_repair_is_in_the_audit_trail(store: EventStore) -> None:
    path = store.snapshot().path(store.folder)
    path.write_bytes(path.read_bytes()[:-5000])
    assert repair(store) != []
    assert '"action": "repair"' in (store.folder / audit.FILE).read_text().splitlines()[-1]
    assert snapshots.digest_matches(store.folder, store.snapshot())


def test_a_store_of_one_empty_load_holds(tmp_path: Path) -> None:
    store = EventStore(tmp_path)
    load(store, events_of({}))
    assert failing(store) == []
