"""Camunda 7: what cannot be read, and engines that do not answer as they should."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.camunda7.xml import elements
from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.camunda7 import Camunda7
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import run
from tests.ingest.local_server import Answer, Request, answering
from tests.ingest.test_camunda7_mapping import activity, instance


def test_what_fits_no_engine_is_an_error_of_input() -> None:
    with pytest.raises(InputError, match="time zone"):
        list(Camunda7(database=Secret("sqlite:///x"), timezone="Mars").read())
    for source in (Camunda7(), Camunda7(address="http://x", database=Secret("sqlite:///x"))):
        with pytest.raises(InputError, match="at an address or out of a database"):
            list(source.read())


def test_the_scope_names_the_engine_and_no_secret() -> None:
    source = Camunda7(database=Secret("postgresql://ann:s3cret@host:5432/engine"))
    assert "s3cret" not in source.scope() + repr(source)
    assert "host:5432/engine" in source.scope()
    assert "s3cret" not in Camunda7(address="http://ann:s3cret@host/engine-rest").scope()


CASES = "/engine-rest/history/process-instance"


def _read(answer: Callable[[Request], Answer]) -> pl.DataFrame:
    with answering(answer) as server:
        return pl.concat(Camunda7(address=f"{server.address}/engine-rest").read())


def _engine(page: Any, **more: Any) -> Callable[[Request], Answer]:
    """An engine that answers any question for cases with `page`, and others as `more` says."""

    def answer(request: Request) -> Answer:
        if request.path == CASES:
            return Answer(page)
        return Answer(more.get(request.path.rsplit("/", 1)[-1], []))

    return answer


def test_a_sign_in_page_instead_of_an_answer_is_refused() -> None:
    with pytest.raises(SourceRefusedError, match="no JSON"):
        _read(lambda _: Answer(b"<html>sign in</html>"))


def test_an_answer_of_another_shape_is_refused() -> None:
    for page in ({"items": []}, ["x"], [{"key": 1}]):
        with pytest.raises(SourceRefusedError, match=r"rows"):
            _read(_engine(page))


def test_times_in_another_format_are_refused() -> None:
    with pytest.raises(SourceRefusedError, match="time that is none"):
        _read(_engine([instance(startTime=1767225600000)]))


def test_a_page_that_comes_again_and_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.camunda7.rest.PAGE_CASES", 2)
    with pytest.raises(SourceRefusedError, match="same page"):
        _read(_engine([instance("a"), instance("b")]))
    monkeypatch.setattr("ingest.camunda7.rest.PAGE_ROWS", 1)
    rows = {"activity-instance": [activity("pay", "serviceTask", 1, 2)]}
    with pytest.raises(SourceRefusedError, match="same page"):
        _read(_engine([instance()], **rows))


def test_an_engine_that_is_away_or_busy_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.http._wait", lambda _: 0.0)
    with pytest.raises(SourceUnavailableError, match="503"):
        _read(lambda _: Answer({}, status=503))
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        list(Camunda7(address="http://127.0.0.1:1/engine-rest").read())


def test_what_was_read_before_the_engine_went_away_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ingest.http._wait", lambda _: 0.0)
    monkeypatch.setattr("ingest.camunda7.rest.PAGE_CASES", 1)
    good = _engine([instance()], **{"activity-instance": [activity("pay", "serviceTask", 1, 2)]})
    asked = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        if request.path == CASES and sum(each.path == CASES for each in asked) > 3:
            return Answer({}, status=503)
        return good(request)

    store = EventStore(tmp_path / "store")
    with answering(answer) as server, pytest.raises(SourceUnavailableError, match="503") as error:
        load(Camunda7(address=f"{server.address}/engine-rest"), store, process="camunda")
    assert "2 events read before that were kept" in error.value.hint
    assert (
        store.log("order")
        .query("select activity from event", pl.Schema({"activity": pl.String()}))
        .height
        == 2
    )


def test_cases_that_the_engine_no_longer_knows_are_counted() -> None:
    with answering(_engine([])) as server:
        pages = list(Camunda7(address=server.address + "/engine-rest").pages(
            Known(cursor={"started": "2026-03-02T08:00:00"}, open_cases=("x", "y"))
        ))  # fmt: skip
    assert [each.events for page in pages for each in page.limitations] == [None, 2]


def test_somebody_who_may_see_nothing_is_told_so(tmp_path: Path) -> None:
    with answering(_engine([])) as server:
        done = run(tmp_path, "load", "camunda7", "--address", f"{server.address}/engine-rest")
    assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["read"], [each["kind"] for each in row["limitations"]]) == (0, ["hidden"])
    assert "or this user may not read them" in done.stderr


def test_operations_on_many_cases_at_once_are_counted() -> None:
    bulk = {"id": "o", "operationType": "SetJobRetries", "processInstanceId": None}

    def answer(request: Request) -> Answer:
        one_kind = request.params.get("operationType") == "SetExternalTaskRetries"
        return _engine([instance()], **{"user-operation": [] if one_kind else [bulk]})(request)

    with answering(answer) as server:
        first, second = Camunda7(address=server.address + "/engine-rest").pages(Known())
    assert second.events["reason"].to_list() == ["user-operation without timestamp"]
    assert [each.events for each in first.limitations if each.measures == ("interventions",)] == [1]


def test_a_model_is_read_without_following_what_it_refers_to() -> None:
    assert elements("d", "no model") == elements("d", "") == []
    model = (
        '<!DOCTYPE a [<!ENTITY who SYSTEM "file:///etc/hostname">]>'
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">'
        '<userTask id="ask" name="Ask"/><sequenceFlow id="f"/><documentation>&who;</documentation>'
        "</process></definitions>"
    )
    assert elements("d", model) == [
        {"processDefinitionId": "d", "activityId": "ask", "name": "Ask", "type": "userTask"}
    ]
