"""Camunda 7: what rows of its history mean, and what answers that are no history are met with."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.camunda7_mapping import events_of
from ingest.camunda7_rows import part
from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.camunda7 import Camunda7
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.ingest.local_server import Answer, Request, answering

HIDDEN = ("subProcess", "multiInstanceBody", "transaction", "exclusiveGateway", "parallelGateway",
          "inclusiveGateway", "eventBasedGateway", "complexGateway")  # fmt: skip
LOGS = {
    "BlueIronGirl+camunda-spring-showcase": "camunda-spring-showcase-process",
    "Casonka+Lab5": "Lab5-process",
    "DuyPhuoc2011+Invoice-Payment-Process": "Payment_Process",
}


def at(seconds: float) -> str:
    return f"2026-03-02T08:00:{seconds:06.3f}+0000"


def instance(case: str = "c1", **more: Any) -> dict[str, Any]:
    known = {"id": case, "processDefinitionId": "order:3:d", "processDefinitionKey": "order"}
    return known | {"startTime": at(0), "state": "ACTIVE"} | more


def activity(name: str, kind: str, start: float, end: float | None, **more: Any) -> dict[str, Any]:
    row = {"id": f"{name}:1", "activityId": name, "activityName": name.title(), "canceled": False}
    row |= {"activityType": kind, "processInstanceId": "c1", "executionId": "e", "taskId": None}
    row |= {"startTime": at(start), "endTime": None if end is None else at(end)}
    return row | more


def job(state: str, seconds: float, *, failed: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"id": f"{state}{seconds}", "timestamp": at(seconds), "jobId": "j", "activityId": "pay"}
    row |= {"processInstanceId": "c1", "executionId": "e", "failedActivityId": failed}
    row |= {"jobDefinitionConfiguration": "async-before", "processDefinitionId": "order:3:d"}
    return row | {f"{state}Log": True} | more


def events(*parts: bytes, gateways: bool = False) -> pl.DataFrame:
    return events_of(b"".join(parts), gateways=gateways)


def told(found: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return found.select("activity", "lifecycle", *columns).rows()


def test_no_lines_give_no_events() -> None:
    assert events().is_empty()


def test_what_a_failed_job_tried_is_told_by_its_log_and_joined_to_what_succeeded() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [activity("pay", "serviceTask", 5, 6)]),
        part("job-log", [
            job("creation", 1),
            job("failure", 2, failed="pay", jobExceptionMessage="no", exception="a.b.Error: no"),
            job("failure", 3, failed="pay", jobExceptionMessage="no", exception=None),
            job("success", 6.5),
        ]),
    )  # fmt: skip
    assert told(found, "instance_id", "attempt", "error_type") == [
        ("Pay", "scheduled", "job:j:pay#1", 1, None),
        ("Pay", "fail", "job:j:pay#1", 1, "a.b.Error"),
        ("Pay", "fail", "job:j:pay#2", 2, None),
        ("Pay", "start", "job:j:pay#3", 3, None),
        ("Pay", "complete", "job:j:pay#3", 3, None),
    ]


def test_a_failure_belongs_to_the_activity_that_failed_not_to_where_the_job_began() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [
            activity("pay", "serviceTask", 5, 5.1), activity("ship", "serviceTask", 5.1, 5.2),
        ]),
        part("job-log", [job("creation", 1), job("failure", 2, failed="ship"), job("success", 6)]),
    )  # fmt: skip
    assert told(found, "attempt") == [
        ("Pay", "scheduled", 1),
        ("Ship", "fail", 1),
        ("Pay", "start", 1),
        ("Pay", "complete", 1),
        ("Ship", "start", 2),
        ("Ship", "complete", 2),
    ]


def test_a_gateway_shows_only_where_deciding_failed_or_gateways_are_wanted() -> None:
    lines = (
        part("instance", [instance()]),
        part("activity", [
            activity("amount", "exclusiveGateway", 4, 4), activity("big", "exclusiveGateway", 5, 5),
        ]),
        part("job-log", [job("creation", 1, activityId="amount"),
                         job("failure", 2, activityId="amount", failed="amount"),
                         job("success", 6, activityId="amount")]),
    )  # fmt: skip
    assert told(events(*lines)) == [
        ("Amount", "scheduled"), ("Amount", "fail"), ("Amount", "start"), ("Amount", "complete"),
    ]  # fmt: skip
    assert Counter(events(*lines, gateways=True)["activity"]) == {"Amount": 4, "Big": 2}


def test_a_job_that_is_deleted_before_it_ran_was_cancelled() -> None:
    found = events(
        part("instance", [instance(state="EXTERNALLY_TERMINATED", endTime=at(9))]),
        part("job-log", [job("creation", 1), job("deletion", 9)]),
        part("element", [{"processDefinitionId": "order:3:d", "activityId": "pay",
                          "name": "Pay\n  now", "type": "serviceTask"}]),
    )  # fmt: skip
    assert told(found, "case_status", "process_version") == [
        ("Pay now", "scheduled", "cancelled", "3"),
        ("Pay now", "cancel", "cancelled", "3"),
    ]


def test_the_job_of_a_sub_process_is_no_activity() -> None:
    model = {"processDefinitionId": "order:3:d", "activityId": "pay", "type": "subProcess"}
    assert events(
        part("instance", [instance()]), part("job-log", [job("creation", 1)]),
        part("element", [model]),
    ).is_empty()  # fmt: skip


def test_a_claim_begins_the_work_and_other_assignments_do_not() -> None:
    link = {"type": "assignee", "operationType": "add", "taskId": "t"}
    found = events(
        part("instance", [instance()]),
        part("activity", [activity("ask", "userTask", 1, 9, taskId="t", assignee="cy")]),
        part("identity-link-log", [
            link | {"id": "l1", "time": at(1), "userId": "ann", "assignerId": "ann"},
            link | {"id": "l2", "time": at(2), "userId": "bob", "assignerId": "ann"},
            link | {"id": "l3", "time": at(3), "userId": "cy", "assignerId": "cy"},
            link | {"id": "l4", "time": at(4), "userId": "cy", "operationType": "delete"},
            link | {"id": "l5", "time": at(5), "userId": "ann", "assignerId": "ann"},
        ]),
        part("user-operation", [
            {"id": "o", "processInstanceId": "c1", "taskId": "t", "userId": "eve",
             "timestamp": at(9), "operationId": "o", "operationType": "Complete"},
        ]),
    )  # fmt: skip
    assert told(found, "resource", "resource_kind") == [
        ("Ask", "scheduled", None, None),
        ("Ask", "assigned", "ann", "human"),
        ("Ask", "assigned", "bob", "human"),
        ("Ask", "start", "cy", "human"),
        ("Ask", "assigned", "ann", "human"),
        ("Ask", "complete", "eve", "human"),
    ]


def test_an_incident_that_no_log_explains_is_a_failure_and_its_echo_in_a_parent_is_none() -> None:
    row = {"processInstanceId": "c1", "createTime": at(3), "activityId": "pay"}
    row |= {"incidentType": "failedJob", "incidentMessage": "no"}
    found = events(
        part("instance", [instance()]),
        part("incident", [
            row | {"id": "i", "causeIncidentId": "i", "historyConfiguration": "gone"},
            row | {"id": "k", "causeIncidentId": "other"},
        ]),
    )  # fmt: skip
    assert told(found, "error_type", "attempt") == [("pay", "fail", "failedJob", None)]


def test_setting_retries_to_none_is_no_retry() -> None:
    row = {"processInstanceId": "c1", "jobId": "j", "userId": "ann", "timestamp": at(4)}
    row |= {"operationType": "SetJobRetries", "property": "retries"}
    found = events(
        part("instance", [instance()]),
        part("job-log", [job("creation", 1), job("failure", 2, failed="ship")]),
        part("user-operation", [
            row | {"id": "a", "operationId": "a", "newValue": "0"},
            row | {"id": "b", "operationId": "b", "newValue": "3"},
        ]),
    )  # fmt: skip
    assert found.filter(pl.col("lifecycle") == "retry").select("event_id", "activity").rows() == [
        ("b:retry", "ship")
    ]


def test_a_row_that_cannot_be_used_goes_to_quarantine_and_the_others_do_not() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [
            activity("pay", "serviceTask", 1, 2),
            activity("late", "serviceTask", 1, 2) | {"endTime": "yesterday"},
            activity("lost", "serviceTask", 1, 2) | {"activityType": None},
        ]),
    )  # fmt: skip
    assert found["activity"].drop_nulls().to_list() == ["Pay", "Pay"]
    bad = found.filter(pl.col("reason").is_not_null())
    assert bad["reason"].to_list() == [
        "endTime is no time: yesterday",
        "activity without activityType",
    ]
    assert [json.loads(text)["activityId"] for text in bad["record"]] == ["late", "lost"]


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>sign in</html>",
        b'{"kind": "activity", "bytes": 5}\n{"a":',
        b'{"kind": "weather", "bytes": 0}\n',
        part("activity", [{"id": "1", "startTime": 12}]),
        part("activity", [{"id": "a", "state": "x"}, {"id": "b"}]),
    ],
)
def test_what_is_no_history_is_refused(raw: bytes) -> None:
    with pytest.raises(SourceRefusedError):
        events_of(raw)


# Recorded rows, read by SQL. The columns are those of an engine of 2023.

TABLES = {
    "ACT_HI_PROCINST": "ID_ BUSINESS_KEY_ PROC_DEF_KEY_ PROC_DEF_ID_ START_TIME_ END_TIME_ "
    "DURATION_ START_ACT_ID_ END_ACT_ID_ START_USER_ID_ DELETE_REASON_ ROOT_PROC_INST_ID_ "
    "REMOVAL_TIME_ SUPER_PROCESS_INSTANCE_ID_ TENANT_ID_ STATE_",
    "ACT_HI_ACTINST": "ID_ PARENT_ACT_INST_ID_ PROC_DEF_KEY_ PROC_DEF_ID_ ROOT_PROC_INST_ID_ "
    "PROC_INST_ID_ EXECUTION_ID_ ACT_ID_ TASK_ID_ CALL_PROC_INST_ID_ ACT_NAME_ ACT_TYPE_ ASSIGNEE_ "
    "START_TIME_ END_TIME_ DURATION_ ACT_INST_STATE_ SEQUENCE_COUNTER_",
    "ACT_HI_JOB_LOG": "ID_ TIMESTAMP_ JOB_ID_ JOB_RETRIES_ JOB_EXCEPTION_MSG_ ACT_ID_ JOB_STATE_ "
    "JOB_DEF_CONFIGURATION_ FAILED_ACT_ID_ EXECUTION_ID_ PROCESS_INSTANCE_ID_ PROCESS_DEF_ID_ "
    "HOSTNAME_ JOB_EXCEPTION_STACK_ID_",
    "ACT_HI_EXT_TASK_LOG": "ID_ TIMESTAMP_ EXT_TASK_ID_ TOPIC_NAME_ WORKER_ID_ ERROR_MSG_ ACT_ID_ "
    "ACT_INST_ID_ PROC_INST_ID_ STATE_ RETRIES_ ERROR_DETAILS_ID_",
    "ACT_HI_INCIDENT": "ID_ PROC_INST_ID_ CREATE_TIME_ END_TIME_ INCIDENT_TYPE_ INCIDENT_MSG_ "
    "ACTIVITY_ID_ FAILED_ACTIVITY_ID_ CAUSE_INCIDENT_ID_ HISTORY_CONFIGURATION_",
    "ACT_HI_OP_LOG": "ID_ PROC_INST_ID_ JOB_ID_ EXTERNAL_TASK_ID_ TASK_ID_ USER_ID_ TIMESTAMP_ "
    "OPERATION_ID_ OPERATION_TYPE_ PROPERTY_ NEW_VALUE_ ANNOTATION_",
    "ACT_HI_IDENTITYLINK": "ID_ TIMESTAMP_ TYPE_ USER_ID_ TASK_ID_ OPERATION_TYPE_ ASSIGNER_ID_",
    "ACT_RE_PROCDEF": "ID_ KEY_ VERSION_ DEPLOYMENT_ID_ RESOURCE_NAME_",
    "ACT_RE_DEPLOYMENT": "ID_ DEPLOY_TIME_",
    "ACT_GE_BYTEARRAY": "ID_ NAME_ DEPLOYMENT_ID_ BYTES_",
}
NUMBERS = ("SEQUENCE_COUNTER_", "ACT_INST_STATE_")


@pytest.fixture(params=LOGS)
def recorded(request: pytest.FixtureRequest, shared_logs: Path, tmp_path: Path) -> Iterator[Any]:
    """A database with the recorded rows of an old engine, and these rows."""
    folder = shared_logs / "histories" / "camunda7"
    rows = {}
    database = sqlite3.connect(tmp_path / "engine.db")
    for table, columns in TABLES.items():
        typed = [f"{name} integer" if name in NUMBERS else name for name in columns.split()]
        database.execute(f"create table {table} ({', '.join(typed)})")
    for table in ("ACT_HI_ACTINST", "ACT_HI_PROCINST"):
        with (folder / f"{request.param}.{table.lower()}.csv").open(encoding="utf-8") as file:
            rows[table] = list(csv.DictReader(file))
        for row in rows[table]:
            given = {name: value or None for name, value in row.items()}
            marks = ", ".join("?" * len(given))
            database.execute(
                f"insert into {table} ({', '.join(given)}) values ({marks})", list(given.values())
            )
    database.commit()
    database.close()
    yield LOGS[request.param], rows, tmp_path


def test_recorded_rows_become_exactly_the_events_that_they_are(recorded: Any) -> None:
    process, rows, folder = recorded
    url = Secret(f"sqlite:///{folder / 'engine.db'}")
    store = EventStore(folder / "store")
    counts = load(Camunda7(database=url), store, process="camunda").counts
    known = {row["ID_"] for row in rows["ACT_HI_PROCINST"]}
    shown = [row for row in rows["ACT_HI_ACTINST"]
             if row["ACT_TYPE_"] not in HIDDEN and row["PROC_INST_ID_"] in known]  # fmt: skip
    moments = [row for row in shown if row["ACT_TYPE_"].lower().startswith(("start", "boundary"))
               or row["ACT_TYPE_"].endswith(("EndEvent", "ThrowEvent"))]  # fmt: skip
    ended = [row for row in shown if row["END_TIME_"]]
    assert counts.new == counts.read == len(shown) + len(ended) - len(moments)
    summary = answer(folder, "summary", process)
    states = Counter(row["STATE_"] for row in rows["ACT_HI_PROCINST"])
    with_events = {row["PROC_INST_ID_"] for row in shown}
    assert summary["cases"] == len(with_events)
    assert summary["open_cases"] <= states["ACTIVE"]
    instances = store.log(process).query(
        """
        select activity, status::varchar as status, count(*) as n
        from activity_instance
        join activity using (activity_key)
        group by all
        """,
        pl.Schema({"activity": pl.String(), "status": pl.String(), "n": pl.Int64()}),
    )
    expected = Counter(
        (" ".join((row["ACT_NAME_"] or row["ACT_ID_"]).split()), _status(row)) for row in shown
    )
    assert {(name, status): n for name, status, n in instances.rows()} == expected
    again = load(Camunda7(database=url), store, process="camunda").counts
    assert (again.new, again.corrected) == (0, 0)


def _status(row: dict[str, str]) -> str:
    if row["END_TIME_"]:
        return "cancelled" if row["ACT_INST_STATE_"] == "2" else "completed"
    return "scheduled" if row["ACT_TYPE_"] == "userTask" else "running"


def test_times_of_the_database_are_those_of_the_zone_of_the_engine(recorded: Any) -> None:
    _, rows, folder = recorded
    url = Secret(f"sqlite:///{folder / 'engine.db'}")
    utc, saigon = (
        pl.concat(page.events for page in source.pages(Known())).sort("event_id")
        for source in (Camunda7(database=url), Camunda7(database=url, timezone="Asia/Ho_Chi_Minh"))
    )
    assert utc["event_id"].equals(saigon["event_id"])
    assert set((utc["timestamp"] - saigon["timestamp"]).dt.total_hours()) == {7}
    first = min(row["START_TIME_"] for row in rows["ACT_HI_ACTINST"])
    assert str(utc["timestamp"].min())[:19] >= first[:19]


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


# Engines that do not answer as they should.

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
    monkeypatch.setattr("ingest.camunda7_rest.PAGE_CASES", 2)
    with pytest.raises(SourceRefusedError, match="same page"):
        _read(_engine([instance("a"), instance("b")]))
    monkeypatch.setattr("ingest.camunda7_rest.PAGE_ROWS", 1)
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
    monkeypatch.setattr("ingest.camunda7_rest.PAGE_CASES", 1)
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
