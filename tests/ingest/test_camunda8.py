"""Searches of Camunda 8 that are away, busy, wrong or refused; and what is read again."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest import http as requests
from ingest.camunda8 import events as camunda8_events
from ingest.camunda8 import limits as camunda8_limits
from ingest.camunda8 import pages as camunda8_pages
from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.camunda8 import Camunda8
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import run
from tests.conftest import ROOT
from tests.servers.camunda8_search import Answer, Search, searchable
from tests.servers.install import free_port

RECORDING = ROOT / "tests" / "ingest" / "recorded" / "zeebe_orders.jsonl.gz"
EVENTS = 65
JOBS = "/v2/jobs/search"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "records.jsonl"
    path.write_bytes(gzip.decompress(RECORDING.read_bytes()))
    return path


@pytest.fixture
def search(exported: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Search]:
    monkeypatch.setattr(requests, "LONGEST_WAIT", 0.01)
    with searchable(exported) as found:
        yield found


def read(source: Camunda8, known: Known | None = None) -> pl.DataFrame:
    return pl.concat(page.events for page in source.pages(known or Known()))


def always(status: int, content: bytes, *, at: str = JOBS) -> Any:
    def fault(path: str, _nth: int) -> Answer | None:
        return (status, content) if path == at else None

    return fault


def page(**more: Any) -> bytes:
    return json.dumps({"page": {"endCursor": "again"}, "items": [], **more}).encode()


FAULTS = {
    "password": (401, b"{}", "answered .* with 401"),
    "rights": (403, b"{}", "answered .* with 403"),
    "gone": (404, b"{}", "answered .* with 404"),
    "text": (200, b"<html>", "something that is no JSON"),
    "no items": (200, b'{"page": {}}', "without items and page"),
    "no page": (200, b'{"items": []}', "without items and page"),
    "a list": (200, b"[]", "without items and page"),
    "no objects": (200, page(items=[1]), "items that are no objects"),
    "the same page": (200, page(items=[{}] * camunda8_pages.ITEMS), "same page again"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_answers_that_cannot_be_used_are_refusals_with_a_way_out(
    fault: str, search: Search, tmp_path: Path
) -> None:
    status, content, said = FAULTS[fault]
    search.fault = always(status, content)
    with pytest.raises(SourceRefusedError, match=said) as caught:
        read(Camunda8(search.address))
    assert caught.value.hint
    done = run(tmp_path, "load", "camunda8", "--address", search.address)
    assert done.exit_code == 4
    assert "Traceback" not in done.stderr


def test_a_cluster_that_is_away_is_unavailable(search: Search, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        read(Camunda8(address))
    search.fault = always(503, b"", at="/v2/incidents/search")
    with pytest.raises(SourceUnavailableError, match="503"):
        read(Camunda8(search.address))
    assert run(tmp_path, "load", "camunda8", "--address", address).exit_code == 4


def test_a_cluster_that_is_busy_is_asked_again(search: Search) -> None:
    answers = iter([(429, b""), (503, b"")])
    search.fault = lambda path, _nth: next(answers, None) if path == JOBS else None
    assert read(Camunda8(search.address)).height == EVENTS


def test_what_was_read_before_a_failure_stays_and_reading_goes_on_there(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camunda8_pages, "RUNS", 2)
    asked: list[str] = []

    def third(path: str, _nth: int) -> Answer | None:
        asked.append(path)
        return (400, b"no more") if asked.count(JOBS) == 3 and path == JOBS else None

    search.fault = third
    store = EventStore(tmp_path / "store")
    with pytest.raises(SourceRefusedError, match="400") as caught:
        load(Camunda8(search.address), store, process="camunda")
    assert "events read before that were kept" in caught.value.hint
    search.fault = lambda _path, _nth: None
    loaded = load(Camunda8(search.address), store, process="camunda")
    assert 0 < loaded.counts.new < EVENTS
    assert loaded.counts.corrected == 0
    events = store.log("order").query(
        "select count(*) as n from event", pl.Schema({"n": pl.Int64()})
    )
    assert events.item() == 59  # the others are of the shipments


def test_pages_of_any_size_give_the_same_events(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read(Camunda8(search.address)).sort("event_id")
    for runs, items in ((1, 1), (2, 3), (9, 7)):
        monkeypatch.setattr(camunda8_pages, "RUNS", runs)
        monkeypatch.setattr(camunda8_pages, "ITEMS", items)
        assert read(Camunda8(search.address)).sort("event_id").equals(expected)


def test_only_what_changed_since_the_cursor_and_what_still_runs_is_asked_for(
    search: Search,
) -> None:
    everything = read(Camunda8(search.address))
    [running] = everything.filter(pl.col("case_status") == "running")["case_id"].unique()
    late = Known({"until": "2030-01-01T00:00:00.000Z"}, None, (running,))
    found = read(Camunda8(search.address), late)
    assert found.sort("event_id").equals(
        everything.filter(pl.col("case_id") == running).sort("event_id")
    )
    cursors = [page.cursor for page in Camunda8(search.address).pages(late) if page.cursor]
    assert set(map(json.dumps, cursors)) == {'{"until": "2030-01-01T00:00:00.000Z"}'}
    some = read(Camunda8(search.address, processes="shipping"))
    assert some["process"].unique().to_list() == ["shipping"]


def test_since_leaves_out_nothing_later(search: Search) -> None:
    everything = read(Camunda8(search.address))
    since = everything["timestamp"].max()
    assert isinstance(since, datetime)
    late = since + timedelta(days=1)
    found = pl.concat(Camunda8(search.address).read(late))
    # What runs may go on at any time.
    assert found["case_status"].unique().to_list() == ["running"]
    later = everything.filter(pl.col("timestamp") >= since - timedelta(seconds=5))["event_id"]
    assert set(later) <= set(pl.concat(Camunda8(search.address).read(since))["event_id"])


def test_what_ended_unseen_is_asked_for_by_its_key(search: Search) -> None:
    everything = read(Camunda8(search.address))
    [ended, *_] = everything.filter(pl.col("case_status") == "completed")["case_id"]
    late = Known({"until": "2030-01-01T00:00:00.000Z"}, None, (ended,))
    assert ended in set(read(Camunda8(search.address), late)["case_id"])


def test_cases_that_retention_deleted_are_reported(search: Search) -> None:
    known = Known({"until": "2030-01-01T00:00:00.000Z"}, None, ("1", "2"))
    found = [each for page in Camunda8(search.address).pages(known) for each in page.limitations]
    assert ("retention", 2) in [(each.kind, each.events) for each in found]


def test_older_clusters_are_read_as_far_as_they_tell(search: Search) -> None:
    search.version = "8.8.4"
    pages = list(Camunda8(search.address).pages(Known()))
    events = pl.concat(page.events for page in pages)
    assert {"assigned", "retry"}.isdisjoint(events["lifecycle"])
    assert pages[0].limitations == (camunda8_limits.unaudited(),)
    assert not any("audit" in path for path, _, _ in search.asked)
    search.version = "8.7.1"
    with pytest.raises(SourceRefusedError, match=r"8\.7\.1.*older than 8\.8"):
        read(Camunda8(search.address))
    search.fault = always(200, b'{"clusterSize": 1}', at="/v2/topology")
    with pytest.raises(SourceRefusedError, match="no Camunda 8"):
        read(Camunda8(search.address))


def test_items_without_what_they_need_go_to_quarantine(search: Search, tmp_path: Path) -> None:
    [raw] = [each.raw for each in Camunda8(search.address).fetch(Known()) if each.raw]
    lines = [json.loads(line) for line in raw.splitlines()]
    element = next(line for line in lines if line["kind"] == "element-instance")
    run_ = next(line for line in lines if line["kind"] == "process-instance")
    bad = [
        {**element, "body": {**element["body"], "startDate": "yesterday"}},
        {**element, "body": {**element["body"], "elementInstanceKey": None}},
        {**run_, "body": {**run_["body"], "processDefinitionId": None}},
    ]
    spoilt = raw + b"\n" + b"\n".join(json.dumps(line).encode() for line in bad) + b"\nnonsense"
    found = camunda8_events.decode(spoilt)
    reasons = found["reason"].drop_nulls().to_list()
    assert len(reasons) == 4
    assert found.filter(pl.col("reason").is_null()).height >= EVENTS


@contextmanager
def issuer(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """What issues tokens: answers these in turn, the last one for ever."""
    asked: list[bytes] = []

    class Issuer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, content = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_client_gets_its_tokens_and_a_new_one_when_one_expired(search: Search) -> None:
    refused = iter([(401, b"{}")])
    search.fault = lambda path, _nth: next(refused, None) if path == JOBS else None
    with issuer((200, b'{"access_token": "one"}'), (200, b'{"access_token": "two"}')) as found:
        address, asked = found
        source = Camunda8(
            search.address, client_id="reader", client_secret=Secret("s3cret"),
            token_address=address, audience="cluster",
        )  # fmt: skip
        assert read(source).height == EVENTS
        assert len(asked) == 2
        assert b"client_secret=s3cret" in asked[0] and b"audience=cluster" in asked[0]
        assert "s3cret" not in repr(source) and "s3cret" not in source.scope()


def test_a_client_that_gets_no_token_is_told_so_without_its_secret(search: Search) -> None:
    secret = Secret("s3cret")
    for status, content, error in (
        (401, b'{"error": "invalid_client"}', SourceRefusedError),
        (200, b"<html>", SourceRefusedError),
        (503, b"", SourceUnavailableError),
    ):
        with issuer((status, content)) as (address, _):
            source = Camunda8(search.address, client_id="reader", client_secret=secret,
                              token_address=address)  # fmt: skip
            with pytest.raises(error) as caught:
                read(source)
            assert "s3cret" not in str(caught.value)
    nowhere = f"http://127.0.0.1:{free_port()}/token"
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        read(Camunda8(search.address, client_id="reader", token_address=nowhere))
    with pytest.raises(InputError, match="needs the address"):
        read(Camunda8(search.address, client_id="reader"))
