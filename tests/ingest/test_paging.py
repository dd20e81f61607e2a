"""Systems that are read in pages: cursors, interruptions, honesty, the landing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl
import pytest

from ingest import paging
from ingest import restore as restoring
from ingest.load import load
from ingest.restore import restore
from ingest.source import Fetched, Known, Secret, SystemSource
from miner.errors import InputError, SourceUnavailableError
from miner.eventlog import landing
from miner.eventlog.definitions import Definition, Limitation
from miner.eventlog.honesty import limitations
from miner.eventlog.merge import Counts
from miner.eventlog.schema import INSTANT
from miner.eventlog.store import EventStore
from miner.performance.summary import summary

START = datetime(2026, 3, 2, 8)
TOKEN = Secret("s3cret")
LATER = timedelta(minutes=1)


@dataclass(frozen=True)
class Numbers(SystemSource):
    """Cases from a system that counts; for tests."""

    name: ClassVar[str] = "numbers"

    upto: Annotated[int, "how far it counts"]
    fails_at: Annotated[int, "page at which it is away"] = -1
    token: Annotated[Secret, "a token"] = TOKEN

    seen: ClassVar[list[Known]] = []
    acknowledged: ClassVar[list[int]] = []

    def scope(self) -> str:
        return "the only one"

    def fetch(self, known: Known) -> Iterator[Fetched]:
        self.seen.append(known)
        for number in range(known.cursor or 0, self.upto):
            if number == self.fails_at:
                raise SourceUnavailableError("It is away.", hint="Wait.")
            yield Fetched(
                json.dumps({"number": number}).encode(),
                cursor=number + 1,
                limitations=(Limitation("sampling", "Half is missing.", ("frequency",), 2),),
                acknowledge=lambda number=number: self.acknowledged.append(number),  # type: ignore[misc]
            )

    def decode(self, raw: bytes) -> pl.DataFrame:
        number = json.loads(raw)["number"]
        return pl.DataFrame(
            {
                "case_id": [f"c{number // 2}"],
                "event_id": [str(number)],
                "activity": ["Count"],
                "timestamp": pl.Series([START + number * LATER], dtype=INSTANT),
                "case_status": ["completed" if number % 2 else "running"],
            }
        )

    def definitions(self) -> Iterator[Definition]:
        yield Definition(None, "1", "bpmn", "<definitions/>")


@pytest.fixture(autouse=True)
def _forget() -> None:
    Numbers.seen.clear()
    Numbers.acknowledged.clear()


def cases_of(store: EventStore) -> int:
    return summary(store.log("p")).cases


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    first = load(Numbers(3), store, process="p")
    assert (first.counts.new, first.cases) == (3, 2)
    second = load(Numbers(5), store, process="p")
    assert (second.counts.read, second.counts.new) == (2, 2)
    assert Numbers.seen[1] == Known(3, START + 2 * LATER, ("c1",))
    third = load(Numbers(5), store, process="p")
    assert (third.counts.read, third.load_id) == (0, None)
    assert cases_of(store) == 3


def test_pages_are_acknowledged_once_they_are_stored(tmp_path: Path) -> None:
    load(Numbers(4), EventStore(tmp_path / "s"), process="p")
    assert Numbers.acknowledged == [0, 1, 2, 3]


def test_what_was_read_before_an_error_is_kept_and_said(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    with pytest.raises(SourceUnavailableError, match="3 events read before that were kept"):
        load(Numbers(9, fails_at=3), store, process="p")
    assert cases_of(store) == 2
    assert load(Numbers(9), store, process="p").counts.new == 6


def test_many_small_pages_make_one_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_EVENTS", 2)
    store = EventStore(tmp_path / "s")
    loaded = load(Numbers(7), store, process="p")
    assert (loaded.counts.new, loaded.cases) == (7, 4)
    with store.write() as writer:
        found = writer.connection.execute('select "new", finished from load')
        assert found.fetchall() == [(7, True)]


def test_asking_again_for_what_is_known_leaves_readers_where_they_are(tmp_path: Path) -> None:
    class Forgetful(Numbers):
        """The same, but it does not know where it was."""

        def fetch(self, known: Known) -> Iterator[Fetched]:
            return super().fetch(Known())

    store = EventStore(tmp_path / "s")
    load(Forgetful(3), store, process="p")
    before, landed = store.snapshot(), landing.landed(store.folder)
    again = load(Forgetful(3), store, process="p")
    assert (again.counts.read, again.counts.duplicate, again.load_id) == (3, 3, None)
    assert (store.snapshot(), landing.landed(store.folder)) == (before, landed)
    more = load(Forgetful(4), store, process="p")
    assert (more.counts.new, more.counts.duplicate) == (1, 3)
    assert store.snapshot() != before


def test_a_status_that_changes_without_an_event_is_seen(tmp_path: Path) -> None:
    class Ending(Numbers):
        """The same, but all have failed."""

        def decode(self, raw: bytes) -> pl.DataFrame:
            return super().decode(raw).with_columns(case_status=pl.lit("failed"))

    store = EventStore(tmp_path / "s")
    load(Numbers(1), store, process="p")
    assert summary(store.log("p")).failed_cases == 0

    class Again(Ending):
        """The same, from the start."""

        def fetch(self, known: Known) -> Iterator[Fetched]:
            return super().fetch(Known())

    load(Again(1), store, process="p")
    assert summary(store.log("p")).failed_cases == 1


def test_a_row_that_cannot_be_used_is_kept_once_however_often_it_is_read(tmp_path: Path) -> None:
    class Broken(Numbers):
        """The same, but its rows cannot be used."""

        def fetch(self, known: Known) -> Iterator[Fetched]:
            return super().fetch(Known())

        def decode(self, raw: bytes) -> pl.DataFrame:
            return pl.DataFrame({"reason": ["it is broken"], "record": [raw.decode()]})

    store = EventStore(tmp_path / "s")
    assert load(Broken(2), store, process="p").counts.rejected == 2
    assert load(Broken(2), store, process="p").counts == Counts(read=2, duplicate=2)
    assert store.read().execute("select count(*) from rejected").fetchall() == [(2,)]


def test_what_a_source_could_not_tell_is_summed_up_and_kept(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    loaded = load(Numbers(3), store, process="p")
    assert loaded.limitations == (Limitation("sampling", "Half is missing.", ("frequency",), 6),)
    load(Numbers(4), store, process="p")
    assert limitations(store.log("p")).rows() == [
        ("numbers", "sampling", "Half is missing.", ["frequency"], 8)
    ]


@dataclass(frozen=True)
class Blind(Numbers):
    """A system that shows nothing but that it does not; for tests."""

    shows: Annotated[bool, "whether it shows something in the end"] = False

    def fetch(self, known: Known) -> Iterator[Fetched]:
        for events in (1, 2):
            yield Fetched(b"", None, (Limitation("rights", "No case may be read.", (), events),))
        yield Fetched(b"", None, (Limitation("hidden", "Some are hidden.", ()),))
        if self.shows:
            yield from super().fetch(known)

    def decode(self, raw: bytes) -> pl.DataFrame:
        return super().decode(raw) if raw else pl.DataFrame()


def test_a_load_that_adds_nothing_still_says_what_the_source_could_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 1)
    monkeypatch.setattr(paging, "MOST_HELD", 1)
    store = EventStore(tmp_path / "s")
    told = (
        Limitation("rights", "No case may be read.", (), 3),
        Limitation("hidden", "Some are hidden.", ()),
    )
    nothing = load(Blind(2), store, process="p")
    assert (nothing.load_id, nothing.counts.read, nothing.limitations) == (None, 0, told)
    some = load(Blind(2, shows=True), store, process="p")
    assert some.counts.new == 2
    assert set(told) < set(some.limitations)
    known = load(Blind(2, shows=True), store, process="p")
    assert (known.load_id, known.limitations) == (None, told)
    texts = limitations(store.log("p"))["text"].to_list()
    assert sorted(texts) == ["Half is missing.", "No case may be read.", "Some are hidden."]


def test_definitions_are_kept_once(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    for upto in (2, 4):
        load(Numbers(upto), store, process="p")
    connection = store.read()
    found = connection.execute("select process, version, format, text from definition").fetchall()
    assert found == [("p", "1", "bpmn", "<definitions/>")]


def test_what_was_pulled_lies_in_the_landing_without_secrets(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    load(Numbers(2), store, process="p")
    (landed,) = landing.landed(store.folder)
    assert (landed.source, landed.process) == ("numbers", "p")
    assert landed.options == {"upto": 2, "fails_at": -1}
    path = landing.restore(store.folder, landed.sha256, tmp_path / "pages")
    assert [json.loads(page)["number"] for page in landing.pages_of(path)] == [0, 1]


def test_events_older_than_the_latest_one_are_told(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "s")
    load(Numbers(5), store, process="p")

    class Behind(Numbers):
        """The same, but it shows one more old event."""

        def fetch(self, known: Known) -> Iterator[Fetched]:
            yield Fetched(b'{"number": -7}', cursor=known.cursor)

    loaded = load(Behind(0), store, process="p")
    assert [(each.kind, each.events) for each in loaded.limitations] == [("late", 1)]


def test_a_store_is_made_again_from_what_was_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "source_class", lambda _name: Numbers)
    store, again = EventStore(tmp_path / "s"), EventStore(tmp_path / "again")
    for upto in (2, 5):
        load(Numbers(upto), store, process="p")
    assert [loaded and loaded.counts.new for _, loaded in restore(store.folder, again)] == [2, 3]
    assert summary(again.log("p")) == summary(store.log("p"))
    assert [loaded and loaded.counts.new for _, loaded in restore(store.folder, again)] == [0, 0]
    with pytest.raises(InputError, match="nothing in the landing"):
        list(restore(tmp_path / "nowhere", again))
