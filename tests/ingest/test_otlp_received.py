"""What a receiver took in, until it is loaded: spools, waiting traces, late spans, the landing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.load import load
from ingest.otlp import archive as otlp_archive
from ingest.otlp.archive import Archive
from ingest.otlp.events import Reading
from ingest.otlp.received import Received
from ingest.otlp.spool import JSON, Spool, SpoolFullError
from ingest.restore import restore
from ingest.source import Known
from miner.errors import InputError
from miner.eventlog.store import EventStore
from tests.ingest.spans import request, span

MB = 1 << 20


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool", 64 * MB)
    yield made
    made.close()


def put(spool: Spool, *spans: dict[str, Any]) -> None:
    spool.put(JSON, json.dumps(request(spans)).encode()).result(10)


@pytest.fixture
def received(spool: Spool, tmp_path: Path) -> Callable[..., Received]:
    def make(**options: Any) -> Received:
        reading = Reading(**options)
        return Received(spool, Archive(tmp_path / "store", "work", reading), reading, 600)

    return make


def activities(source: Received, cursor: int = 0) -> list[str]:
    pages = list(source.pages(Known(cursor)))
    for page in pages:
        assert page.acknowledge
        page.acknowledge()
    return [name for page in pages for name in page.events["activity"].drop_nulls()]


def test_a_batch_is_there_when_its_number_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MB)
    number = spool.put(JSON, b"{}").result(10)
    # Not closed: as after a kill, only that the lock is let go.
    again = [batch for piece in spool.batches(0, number) for batch in piece]
    assert [(batch.number, batch.body) for batch in again] == [(number, b"{}")]
    spool.close()


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MB)
    first = spool.put(JSON, b"{}").result(10)
    spool.forget(first)
    spool.close()
    spool = Spool(tmp_path, MB)
    assert spool.put(JSON, b"{}").result(10) == first + 1
    spool.close()


def test_what_is_too_much_is_turned_away_until_it_is_loaded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100)
    last = spool.put(JSON, b"x" * 90).result(10)
    with pytest.raises(SpoolFullError):
        spool.put(JSON, b"x" * 90)
    spool.count(last)
    spool.put(JSON, b"x" * 90).result(10)
    spool.close()


def test_two_processes_do_not_share_a_spool(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Another receiver"):
        Spool(tmp_path / "spool", MB)


def test_children_wait_for_their_parents(
    spool: Spool, received: Callable[..., Received], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = received()
    put(spool, span("charge", 2, 1, at=1))
    assert activities(source) == []
    put(spool, span("order", 1, lasts=9))
    assert sorted(activities(source, 1)) == ["charge", "charge", "order", "order"]
    assert not source.pending()


def test_a_parent_that_never_comes_is_not_waited_for_forever(
    spool: Spool, received: Callable[..., Received]
) -> None:
    source = received()
    put(spool, span("charge", 2, 1, at=1))
    assert activities(source) == []
    source.hurry()
    assert source.pending()
    (page,) = source.pages(Known(1))
    assert page.events.height == 2
    assert [each.kind for each in page.limitations] == ["hidden"]


def test_what_waited_when_the_receiver_ended_is_loaded_by_the_next(
    spool: Spool, received: Callable[..., Received]
) -> None:
    put(spool, span("charge", 2, 1, at=1))
    put(spool, span("done", 3, trace=2))
    assert activities(received()) == ["done", "done"]
    again = received()
    put(spool, span("order", 1, lasts=9))
    # And nothing else is given again.
    assert sorted(activities(again, 2)) == ["charge", "charge", "order", "order"]


def test_nothing_is_given_twice_without_need(
    spool: Spool, received: Callable[..., Received]
) -> None:
    source = received()
    put(spool, span("order", 1, lasts=9), span("charge", 2, 1, at=1))
    assert len(activities(source)) == 4
    put(spool, span("order", 1, lasts=9), span("charge", 2, 1, at=1))
    assert activities(source, 1) == []
    put(spool, span("print", 3, 1, at=3))
    assert activities(source, 2) == ["print", "print"]


def test_an_earlier_failure_that_comes_late_corrects_the_attempt(
    spool: Spool, received: Callable[..., Received], tmp_path: Path
) -> None:
    store, source = EventStore(tmp_path / "store"), received()
    put(spool, span("order", 1, lasts=9), span("charge", 3, 1, at=3))
    load(source, store, process="work")
    put(spool, span("charge", 2, 1, at=1, error="no"))
    loaded = load(source, store, process="work")
    assert (loaded.counts.new, loaded.counts.corrected) == (2, 2)
    with store.read() as connection:
        found = connection.sql(
            "select attempt from event where activity = 'charge' order by timestamp"
        ).fetchall()
    assert found == [(1,), (1,), (2,), (2,)]


def test_the_process_of_a_case_stays_what_it_was(
    spool: Spool, received: Callable[..., Received]
) -> None:
    source = received(workflow="root", case="order.id")
    put(spool, span("order", 1, lasts=9, order_id="O-1"))
    (page,) = source.pages(Known())
    assert set(page.events["process"]) == {"order"}
    put(spool, span("invoice", 2, trace=2, at=-99, order_id="O-1"))
    later = list(source.pages(Known(1)))
    assert {name for page in later for name in page.events["process"]} == {"order"}


def test_a_load_that_fails_is_made_again_from_the_spool(
    spool: Spool, received: Callable[..., Received]
) -> None:
    source = received()
    put(spool, span("order", 1))
    next(source.pages(Known()))
    source.forget()
    assert source.pending()
    assert activities(source) == ["order", "order"]


def test_quarantine_gets_a_span_that_is_none_once(
    spool: Spool, received: Callable[..., Received]
) -> None:
    put(spool, span("bad", 1) | {"spanId": ""})
    (page,) = received().pages(Known())
    assert page.events["reason"].drop_nulls().len() == 1
    assert [page.events.height for page in received().pages(Known(1))] in ([], [0])


def test_what_was_loaded_goes_to_the_landing_and_makes_the_same_store_again(
    spool: Spool,
    received: Callable[..., Received],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp_archive, "MOST_BYTES", 1)
    store, other = EventStore(tmp_path / "store"), EventStore(tmp_path / "other")
    source = received(case="order.id")
    old = Received(source.spool, source.archive, source.reading, remember=-1)
    put(spool, span("order", 1, lasts=9, order_id="O-1"), span("charge", 2, 1, at=1))
    put(spool, span("order", 3, trace=2, order_id="O-2"))
    load(old, store, process="work")
    assert spool.last() == 0
    assert [landed.source for landed, _ in restore(store.folder, other)] == ["otlp"]
    sql = "select process, case_id, event_id, attempt, timestamp from event order by event_id"
    with store.read() as here, other.read() as there:
        assert here.sql(sql).fetchall() == there.sql(sql).fetchall()
        assert len(here.sql(sql).fetchall()) == 6
