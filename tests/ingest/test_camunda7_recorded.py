"""Camunda 7: recorded rows of real engines, read by SQL."""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.camunda7 import Camunda7
from miner.eventlog.store import EventStore
from tests.commands import answer

HIDDEN = ("subProcess", "multiInstanceBody", "transaction", "exclusiveGateway", "parallelGateway",
          "inclusiveGateway", "eventBasedGateway", "complexGateway")  # fmt: skip
LOGS = {
    "BlueIronGirl+camunda-spring-showcase": "camunda-spring-showcase-process",
    "Casonka+Lab5": "Lab5-process",
    "DuyPhuoc2011+Invoice-Payment-Process": "Payment_Process",
}
MODELS = {
    "camunda-spring-showcase-process": "youtube-tutorial__src__main__resources__process.bpmn",
    "Lab5-process": "src__main__resources__process.bpmn",
    "Payment_Process": "src__main__resources__PaymentProcess.bpmn",
}

# The columns are those of an engine of 2023.
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


def test_recorded_cases_are_held_against_a_model_of_their_process(
    recorded: Any, shared_logs: Path
) -> None:
    process, _, folder = recorded
    database = Secret(f"sqlite:///{folder / 'engine.db'}")
    load(Camunda7(database=database), EventStore(folder / "store"), process="camunda")
    model = shared_logs / "histories" / "camunda7" / "models" / MODELS[process]
    found = answer(folder, "conform", process, "--model", str(model))
    expected = {
        # Three cases ended before the last checks were added, and took a taxi by another name.
        "camunda-spring-showcase-process": (8, 5, {"Buy a Train-Ticket", "Get A Taxi",
                                                   "Some last checks"}),
        # One came to an end that the model does not have any more.
        "Lab5-process": (26, 25, {"Event_11megch", "Процедура лечения пройдена"}),
        "Payment_Process": (1, 1, set()),
    }  # fmt: skip
    deviating = {row["activity"] for row in found["deviations"]}
    assert (found["cases"], found["conforming_cases"], deviating) == expected[process]


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
