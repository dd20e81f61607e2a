"""REST: a local API that pages in every way, fails, throttles, repeats, expires and changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.load import load
from ingest.mapping import MappingFile
from ingest.source import Known, Secret
from ingest.sources.rest import RestApi
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers.install import free_port
from tests.servers.json_api import SECRET, Api, api
from tests.servers.order_messages import (
    EVENTS,
    MAPPING,
    events_in,
    example_on,
    holds_the_known_numbers,
    killed_while_loading,
    told,
)

__all__ = ["api"]

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rest")]

TOLD = f'event_id = "id"\n{MAPPING}'
PAGINGS = {
    "link": 'kind = "link"',
    "next": 'kind = "next"\npath = "links.next"',
    "cursor": 'kind = "cursor"\npath = "cursor"\nparam = "after"',
    "offset": 'kind = "offset"\nlimit = 40',
    "total": 'kind = "offset"\nlimit = 40\ntotal = "count"',
    "page": 'kind = "page"',
    "pages": 'kind = "page"\nfirst = 0\ntotal = "pages"',
}


def mapped(folder: Path, api: Api, paging: str = "", more: str = "", **request: str) -> MappingFile:
    given = {"url": f"{api.url}/records", "records": "data.items"} | request
    lines = "\n".join(f'{key} = "{value}"' for key, value in given.items())
    paging = f"[request.paging]\n{paging}" if paging else ""
    path = folder / "api.toml"
    path.write_text(f"{TOLD}\n[request]\n{lines}\n{paging}\n{more}", encoding="utf-8")
    return MappingFile(path)


def read(source: RestApi) -> int:
    return sum(page.events.height for page in source.pages(Known()))


@pytest.mark.parametrize("paging", PAGINGS.values(), ids=PAGINGS)
def test_every_way_of_paging_reads_everything_once(api: Api, tmp_path: Path, paging: str) -> None:
    more = 'params = { first = "0" }' if "first" in paging else ""
    mapping = mapped(tmp_path, api, paging)
    if more:
        text = Path(mapping).read_text("utf-8").replace("[request]\n", f"[request]\n{more}\n")
        Path(mapping).write_text(text, encoding="utf-8")
    assert keeps_the_contract(RestApi(mapping)).height == EVENTS


def test_an_api_may_answer_with_a_list_to_a_post(api: Api, tmp_path: Path) -> None:
    mapping = mapped(tmp_path, api, method="POST")
    api.size = 1000
    assert read(RestApi(mapping)) == EVENTS
    text = Path(mapping).read_text("utf-8").replace('records = "data.items"\n', "")
    Path(mapping).write_text(text, encoding="utf-8")
    api.body = json.dumps(api.records[:3]).encode()
    assert read(RestApi(mapping)) == 3


INCREMENTAL = """
[request.incremental]
field = "at"
param = "since"
overlap = 0
format = "%Y-%m-%dT%H:%M:%S.000+00:00"
"""


def test_records_become_events_with_the_known_numbers(api: Api, tmp_path: Path) -> None:
    mapping = mapped(tmp_path, api, PAGINGS["cursor"], INCREMENTAL)
    command = ("load", "rest", "--mapping", str(mapping), "--process", "orders")
    found = answer(tmp_path, *command)
    assert (found["read"], found["new"], found["cases"]) == (EVENTS, EVENTS, 20)
    assert [limitation["kind"] for limitation in found["limitations"]] == ["late"]
    holds_the_known_numbers(tmp_path, "orders")
    api.asked.clear()
    assert answer(tmp_path, *command)["new"] == 0
    assert api.asked == [{"since": max(each["at"] for each in api.records)}]
    later = list(told(30, 5))
    api.records += [{"id": 1000 + i, **each} for i, each in enumerate(later)]
    assert answer(tmp_path, *command)["new"] == len(later)
    assert answer(tmp_path, "summary", "orders")["cases"] == 25


def test_a_load_that_is_killed_and_run_again_holds_the_same(api: Api, tmp_path: Path) -> None:
    api.records = [{"id": i, **each} for i, each in enumerate(told(0, 800))]
    api.size = 1000
    mapping = mapped(tmp_path, api, PAGINGS["cursor"], INCREMENTAL)
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(RestApi(mapping), calm, process="p")
    killed_while_loading(
        tmp_path / "killed", 5, "rest", "--mapping", str(mapping), "--process", "p"
    )
    part = load(RestApi(mapping), killed, process="p")
    assert part.counts.duplicate > 0 and part.counts.corrected == 0
    assert events_in(killed, "p").equals(events_in(calm, "p"))


def test_what_may_go_away_is_tried_again(api: Api, tmp_path: Path) -> None:
    api.failures = [(500, {}), (503, {}), (429, {"Retry-After": "1"})]
    assert read(RestApi(mapped(tmp_path, api, PAGINGS["cursor"]))) == EVENTS
    assert len(api.asked) == 3 + 4


def test_a_system_that_stays_away_is_told_from_one_that_refuses(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.rest.client.TRIES", 2)
    mapping = mapped(tmp_path, api)
    for code, kind in (
        (500, SourceUnavailableError),
        (429, SourceUnavailableError),
        (404, SourceRefusedError),
        (403, SourceRefusedError),
        (302, SourceRefusedError),
    ):
        api.failures = [(code, {"Location": "http://nowhere.invalid/"})] * 2
        with pytest.raises(kind, match=str(code)):
            read(RestApi(mapping))
        api.failures = []
    api.pause = 0.4
    with pytest.raises(SourceUnavailableError, match="does not answer in time"):
        read(RestApi(mapping, timeout=0.2))
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        read(RestApi(mapping, address=f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>login</html>", "no JSON"),
        (b'{"data": {"items": [{"id": 1', "no JSON"),
        (b'{"data": {"orders": []}}', "without 'data.items'"),
        (b"[]", "without 'data.items'"),
        (b'{"data": {"items": {"a": 1}}}', "no list of objects"),
        (b'{"data": {"items": [1, 2]}}', "no list of objects"),
    ],
)
def test_answers_that_cannot_be_understood_end_with_a_sentence(
    api: Api, tmp_path: Path, body: bytes, said: str
) -> None:
    api.body = body
    mapping = mapped(tmp_path, api)
    done = run(tmp_path, "load", "rest", "--mapping", str(mapping), "--process", "p")
    assert done.exit_code == 4
    assert said in done.stderr and "Traceback" not in done.stderr


def test_what_was_good_before_a_failure_is_kept(api: Api, tmp_path: Path) -> None:
    api.records[100] = {"id": 100, "at": "never"}
    mapping = mapped(tmp_path, api, PAGINGS["cursor"])
    command = ("load", "rest", "--mapping", str(mapping), "--process", "p")
    found = answer(tmp_path, *command)
    assert (found["new"], found["rejected"]) == (EVENTS - 1, 1)
    [rejected] = answer(tmp_path, "rejected", "--process", "p")
    assert json.loads(rejected["record"]) == api.records[100]


@pytest.mark.parametrize("paging", ["next", "cursor", "offset"])
def test_an_api_that_gives_the_same_page_again_and_again_is_left(
    api: Api, tmp_path: Path, paging: str
) -> None:
    api.stuck = True
    with pytest.raises(SourceRefusedError, match=r"a page that we had|again and again"):
        read(RestApi(mapped(tmp_path, api, PAGINGS[paging])))


AUTHENTICATIONS = {
    "bearer": 'kind = "bearer"',
    "basic": 'kind = "basic"\nuser = "ann"',
    "header": 'kind = "api_key"\nname = "X-Key"',
    "query": 'kind = "api_key"\nname = "key"\nin = "query"',
    "oauth2": 'kind = "oauth2"\ntoken_url = "{0}/token"\nclient_id = "us"',
}


@pytest.mark.parametrize("kind", AUTHENTICATIONS)
def test_every_way_to_say_who_asks(api: Api, tmp_path: Path, kind: str) -> None:
    api.authentication = kind
    how = AUTHENTICATIONS[kind].format(api.url)
    mapping = mapped(tmp_path, api, PAGINGS["cursor"], f"[request.authentication]\n{how}")
    source = RestApi(mapping, Secret(SECRET))
    assert read(source) == EVENTS
    if kind == "oauth2":  # a token lasts for two of the four pages
        assert api.tokens == 2
    assert SECRET not in source.scope() and SECRET not in repr(source)
    with pytest.raises(SourceRefusedError, match="401") as caught:
        read(RestApi(mapping, Secret("wr0ng")))
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(InputError, match="needs a secret"):
        read(RestApi(mapping))


def test_credentials_are_not_carried_to_another_host(api: Api, tmp_path: Path) -> None:
    api.authentication, api.elsewhere = "bearer", "http://nowhere.invalid"
    how = "[request.authentication]\nkind = 'bearer'"
    mapping = mapped(tmp_path, api, PAGINGS["next"], how)
    with pytest.raises(SourceRefusedError, match=r"sends us on to http://nowhere\.invalid"):
        read(RestApi(mapping, Secret(SECRET)))


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("[request]\nurl = 'https://a'\nrecord = 'x'", 6, "no key 'record'", "'records'"),
        ("[request]\nurl = 'shop'", 5, "no address", "https://"),
        ("[request]\nmethod = 'GET'", 4, "url is missing", "url ="),
        ("[request]\nurl = 'https://a'\nmethod = 'PUT'", 6, "cannot be 'PUT'", "GET"),
        ("[request]\nurl = 'https://a'\n[request.paging]\nkind = 'x'", 7, "cannot be 'x'", "link"),
        ("[request]\nurl = 'https://a'\n[request.paging]\nkind = 'next'", 6, "path is missing", ""),
        ("[request]\nurl = 'https://a'\n[request.incremental]\nfield = 'x'", 6, "param", ""),
        ("[reqest]\nurl = 'https://a'", 4, "no key 'reqest'", "'request'"),
        ("", 1, "no [request]", "url ="),
    ],
)
def test_mistakes_in_the_request_are_told_with_their_line(
    tmp_path: Path, text: str, line: int, said: str, hint: str
) -> None:
    path = tmp_path / "api.toml"
    path.write_text(f'case = "c"\nactivity = "a"\ntimestamp = "t"\n{text}', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(RestApi(MappingFile(path)))
    assert said in caught.value.message and hint in caught.value.hint
    assert f"api.toml, line {line}: " in caught.value.message


def test_the_page_of_the_source_says_how_to_configure_it(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "sources" / "rest.md").read_text(encoding="utf-8")
    api.authentication = "bearer"
    api.body = json.dumps({"data": {"next": None, "orders": [
        {"id": 1, "created_at": "2026-03-02T08:00:00Z", "updated_at": "2026-03-02T09:00:00Z",
         "shipment": {"at": "2026-03-02T09:00:00Z", "by": "ann"}},
    ]}}).encode()  # fmt: skip
    monkeypatch.chdir(tmp_path)
    example = f'{example_on("rest.md")}address = "{api.url}"\n'
    Path("procession.toml").write_text(example, encoding="utf-8")
    Path("orders.toml").write_text(text.split("```toml\n")[2].split("```")[0], encoding="utf-8")
    monkeypatch.setenv("PROCESSION_ORDERS_SECRET", SECRET)
    settings.cache_clear()
    for _ in range(2):
        done = run(tmp_path, "sync")
        assert done.exit_code == 0, done.stderr
    assert answer(tmp_path, "summary", "orders")["median_cycle_time_seconds"] == 3600
    assert [query.get("updated_since") for query in api.asked] == [
        None, "2026-03-02T08:50:00.000000Z",
    ]  # fmt: skip
    assert api.asked[0] == {"status": "any", "limit": "50"}
