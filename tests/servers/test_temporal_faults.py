"""Temporal away, refusing, killed or forgetful: what was good stays, and the rest is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.source import Known, Secret
from ingest.sources.temporal import Temporal
from ingest.temporal.client import Access, _error
from miner.errors import SourceRefusedError, SourceUnavailableError
from tests.commands import run
from tests.conftest import ROOT
from tests.servers import temporal_work as work
from tests.servers.killing import killed_after
from tests.servers.temporal import TemporalServer, finished, serve
from tests.servers.temporal_shop import (
    QUIET,
    connected,
    everything,
    listed,
    start,
)
from tests.servers.waiting import until_true

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("temporal")]


NO_RUN = "00000000-0000-4000-8000-000000000000"


def test_what_was_killed_while_loading_ends_up_the_same(
    shop: TemporalServer, shop_folder: Path, tmp_path: Path
) -> None:
    command = ("temporal", "--address", shop.address, "--query", QUIET, "--overlap", "1")
    killed_after((0.8, 1.2, 1.6), *command, "--process", "temporal", store=tmp_path / "store")
    done = run(tmp_path, "load", *command, "--process", "temporal")
    assert done.exit_code == 0, done.stderr
    for process_name in ("Order", "Payment", "Countdown"):
        assert everything(tmp_path, process_name).equals(everything(shop_folder, process_name))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"namespace": "nowhere"}, SourceRefusedError, "name of the namespace"),
        ({"query": "NoSuchField = 1"}, SourceRefusedError, "Check the query"),
        ({"api_key": Secret("s3cret")}, SourceUnavailableError, "Check the address"),
        ({"address": "127.0.0.1:9"}, SourceUnavailableError, "Check the address"),
    ],
)
def test_a_server_that_refuses_or_is_away_is_an_error_of_ours(
    shop: TemporalServer, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    source = Temporal(**{"address": shop.address, **options})
    with pytest.raises(error) as caught:
        list(source.fetch(Known()))
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_wrong_credentials_are_told_from_a_server_that_is_busy() -> None:
    access = Access("host:7233", "default", Secret("s3cret"), True, "", "", "")
    for status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        assert isinstance(_error(access, status, "no"), SourceRefusedError)
    for status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        assert isinstance(_error(access, status, "later"), SourceUnavailableError)


def test_a_server_that_is_away_ends_a_load_with_exit_code_4(tmp_path: Path) -> None:
    result = run(tmp_path, "load", "temporal", "--address", "127.0.0.1:9", "--process", "p")
    assert result.exit_code == 4
    assert "does not answer" in result.stderr


def test_a_server_that_ends_while_it_is_read_leaves_what_was_good(tmp_path: Path) -> None:
    with serve() as mortal:
        finished(_countdowns(mortal))
        source = Temporal(mortal.address, overlap=1)
        pages = source.pages(Known())
        read = [next(pages) for _ in range(2)]
    with pytest.raises(SourceUnavailableError):
        read += list(pages)
    assert sum(page.events.height for page in read) > 0


async def _countdowns(server: TemporalServer) -> None:
    client = await connected(server)
    async with work.working(client, "2026.2"):
        await start(client, work.Countdown.run, "one", 1)
        await client.start_workflow(work.Stuck.run, id="open", task_queue=work.QUEUE)
    await listed(client, "one", 1)


def test_the_page_of_the_source_says_how_to_configure_it(
    shop: TemporalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from miner.settings import settings

    page = (ROOT / "docs" / "sources" / "temporal.md").read_text(encoding="utf-8")
    block = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    replaced = block.replace("temporal.example.org:7233", shop.address)
    replaced = replaced.replace("tls = true\n", "")
    replaced = replaced.replace('namespace = "orders"', 'namespace = "default"')
    Path("procession.toml").write_text(replaced, encoding="utf-8")
    settings.cache_clear()
    try:
        done = run(tmp_path, "sync")
    finally:
        settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["new"] > 100


def test_what_retention_took_away_is_told(shop: TemporalServer) -> None:
    async def forgotten() -> None:
        client = await connected(shop)

        async def one_is_left() -> bool:
            return (await client.count_workflows("WorkflowId = 'forgotten'")).count == 1

        await until_true(one_is_left)

    finished(forgotten())
    source = Temporal(shop.address, query="WorkflowId = 'forgotten'", overlap=1)
    said = [each for page in source.pages(Known()) for each in page.limitations]
    told = {each.text: each.events for each in said if each.kind == "retention"}
    assert told == {
        "The namespace keeps closed workflows for 1 days; earlier ones cannot be read.": None,
        "Workflows whose first run is no longer kept lack what happened in it.": 1,
    }
    (events,) = (frame for frame in source.read() if frame.height)
    (case,) = events["case_id"].unique()
    assert events["activity"].to_list()[0] == "workflow continued as new"
    assert case.startswith("default/forgotten/")
    past = "2020-01-01T00:00:00+00:00"
    lost = Known({"closed_until": past, "read": {}, "open": {NO_RUN: ["gone", 1]}})
    texts = [each.text for page in source.pages(lost) for each in page.limitations]
    assert any("closed in between are lost" in text for text in texts)
    assert any("are gone from the server" in text for text in texts)
