"""What rows of Airflow become: recorded ones of Airflow 1.10 to 3, and what goes wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.airflow.history import decode
from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.airflow import Airflow
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.ingest.local_server import Answer, Request, answering

RUN = {"dag_id": "orders", "dag_run_id": "r1", "state": "success", "run_type": "manual"}
NUMBERS = {"id", "map_index", "try_number", "max_tries", "clear_number", "priority_weight"}


def database(recording: str, folder: Path, place: Path) -> Airflow:
    """The recorded tables of one Airflow in a SQLite file."""
    file = place / "airflow.db"
    with closing(sqlite3.connect(file)) as connection:
        for table in ("dag_run", "task_instance", "log"):
            rows = pl.read_parquet(folder / f"{recording}.{table}.parquet")
            columns = ", ".join(
                f'"{name}" {"integer" if name in NUMBERS else "text"}' for name in rows.columns
            )
            connection.execute(f"create table {table} ({columns})")
            marks = ", ".join("?" * rows.width)
            connection.executemany(f"insert into {table} values ({marks})", rows.iter_rows())
        connection.commit()
    return Airflow(database=Secret(f"sqlite:///{file}"))


RECORDINGS = [
    "AndreyRodr+BDD2-Avaliacao2_airflow_airflow",
    "ArthurPedroti+airflow-celery-local_airflow_airflow",
    "AzusaF+LearningApacheAirflow",
    "Bensha93+USGov-Earthquake-Streaming-Analytics-Pipeline-GCP-Kafka-Dataflow-_airflow_airflow",
    "CSAADZIDI+airflow_project_macos",
    "Christopher-Holloway+Airflow_example",
    "DiegoALGR+snowflake-data-process-repo",
    "EKrupa+airflow_ETL_pipeline",
]


@pytest.mark.parametrize("recording", RECORDINGS, ids=[name.split("+")[0] for name in RECORDINGS])
def test_every_recorded_task_instance_comes_through(
    recording: str, shared_logs: Path, tmp_path: Path
) -> None:
    folder = shared_logs / "histories" / "airflow"
    source = database(recording, folder, tmp_path)
    events = pl.concat(source.read(), how="diagonal")
    assert events["event_id"].is_unique().all()
    assert events.filter(pl.col("reason").is_not_null()).is_empty()
    tries = pl.read_parquet(folder / f"{recording}.task_instance.parquet")
    runs = pl.read_parquet(folder / f"{recording}.dag_run.parquet")
    key = "run_id" if "run_id" in tries.columns else "execution_date"
    if key not in runs.columns:
        key = "run_id"
    ours = tries.join(runs.select("dag_id", key), on=["dag_id", key])
    ended = ours.filter(pl.col("end_date").is_not_null())
    states = dict(ended["state"].value_counts().iter_rows())
    found = dict(events["lifecycle"].value_counts().iter_rows())
    assert found.get("skip", 0) == sum(
        states.get(each, 0) for each in ("skipped", "upstream_failed")
    )
    failed = states.get("failed", 0) + states.get("up_for_retry", 0)
    # Tries before the last one are read off the log.
    assert found.get("complete", 0) >= states.get("success", 0)
    assert found.get("fail", 0) >= failed
    last = events.filter(pl.col("resource").is_not_null() | pl.col("attempt").is_not_null())
    assert last.group_by("process", "case_id", "instance_id", "lifecycle").len()["len"].max() == 1
    loaded = load(source, EventStore(tmp_path / "store"), process="airflow")
    assert loaded.counts.new == events.height
    assert any(each.kind == "missing-attempts" for each in loaded.limitations)
    again = load(source, EventStore(tmp_path / "store"), process="airflow")
    assert (again.counts.new, again.counts.corrected) == (0, 0)


def test_tries_that_only_the_log_remembers_are_read_off_it(
    shared_logs: Path, tmp_path: Path
) -> None:
    folder = shared_logs / "histories" / "airflow"
    source = database(RECORDINGS[3], folder, tmp_path)
    events = pl.concat(source.read(), how="diagonal")
    log = pl.read_parquet(folder / f"{RECORDINGS[3]}.log.parquet")
    # Every line that says "failed" is a try that failed, and each of those is told once.
    assert events.filter(pl.col("lifecycle") == "fail").height == (log["event"] == "failed").sum()
    assert events["attempt"].max() > 1  # type: ignore[operator]
    cleared = (log["event"] == "dagrun_clear").sum()
    orders = events.filter(pl.col("lifecycle") == "retry")["event_id"].str.extract(r"/log/(\d+)/")
    assert 0 < orders.n_unique() <= cleared


def lines(*told: tuple[str, dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps({"kind": kind, kind: body}) for kind, body in told).encode()


def tried(task: str, number: int, state: str | None, minute: int, **more: Any) -> Any:
    begun = f"2026-03-02T08:{minute:02}"
    told = {
        "dag_id": "orders", "dag_run_id": "r1", "task_id": task, "map_index": -1,
        "try_number": number, "state": state, "scheduled_when": f"{begun}:00Z",
        "start_date": f"{begun}:10Z", "end_date": f"{begun}:30Z",
        "hostname": "w1", "operator": "BashOperator", "version": "3",
    }  # fmt: skip
    return "try", told | more


def told(*given: tuple[str, dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = decode(lines(("run", RUN), *given))
    return found.select("instance_id", "lifecycle", "attempt", "resource_kind").rows()


def test_what_never_ran_is_skipped_and_what_waits_has_not_ended() -> None:
    never = {"start_date": "2026-03-02T08:05:00Z", "end_date": "2026-03-02T08:05:00Z"}
    assert told(
        tried("a", 0, "skipped", 5, **never),
        tried("b", 0, "upstream_failed", 6, **never),
        tried("c", 1, "queued", 7),  # its times are those of a try before
        tried("d", 1, None, 8),
        tried("e", 1, "running", 9, end_date=None),
    ) == [
        ("a[-1]/0", "skip", None, "system"),
        ("b[-1]/0", "skip", None, "system"),
        ("c[-1]/1", "scheduled", 1, None),
        ("e[-1]/1", "scheduled", 1, None),
        ("e[-1]/1", "start", 1, "system"),
    ]


def test_a_task_that_waited_for_an_answer_is_not_due_after_it_began() -> None:
    answered = {"dag_id": "orders", "dag_run_id": "r1", "task_id": "a", "map_index": -1,
                "try_number": 1, "created_at": "2026-03-02T08:01:11Z", "subject": "May it?",
                "responded_at": "2026-03-02T08:01:20Z", "responded_by": "ada"}  # fmt: skip
    waited = tried("a", 1, "success", 1, scheduled_when="2026-03-02T08:01:21Z")
    assert told(waited, ("human", answered)) == [
        ("a[-1]/1", "start", 1, "human"),
        ("a[-1]/1", "complete", 1, "human"),
    ]


def test_a_clear_that_was_only_rehearsed_orders_nothing() -> None:
    clear = {"event_log_id": 7, "when": "2026-03-02T08:03:00Z", "dag_id": "orders",
             "event": "post_clear_task_instances", "owner": "ada"}  # fmt: skip
    body = {"dag_run_id": "r1", "task_ids": [["a", 0], "b"], "dry_run": True}
    tries = (tried("a", 1, "success", 1), tried("a", 2, "success", 5))
    assert "retry" not in {row[1] for row in told(*tries, ("action", clear | extra(body)))}
    meant = decode(
        lines(("run", RUN), *tries, ("action", clear | extra(body | {"dry_run": False})))
    )
    orders = meant.filter(pl.col("lifecycle") == "retry")
    assert orders.select("activity", "resource").rows() == [("a", "ada"), ("b", "ada")]


def extra(body: dict[str, Any]) -> dict[str, str]:
    return {"extra": json.dumps(body)}


def test_a_timeout_that_the_log_tells_is_a_timeout() -> None:
    of = {"dag_id": "orders", "dag_run_id": "r1", "task_id": "a", "map_index": -1, "try_number": 1}
    why = of | {"error_type": "AirflowTaskTimeout", "error_message": "it took too long"}
    assert [row[1] for row in told(tried("a", 1, "failed", 1), ("failure", why))][-1] == "timeout"


def test_what_lacks_its_run_goes_to_quarantine_and_the_rest_is_kept() -> None:
    found = decode(lines(tried("a", 1, "success", 1), tried("b", 1, "success", 2, dag_run_id=None)))
    assert found["reason"].is_not_null().sum() == 1
    assert found.filter(pl.col("reason").is_null())["activity"].unique().to_list() == ["a"]


def test_either_the_address_or_the_database_is_given() -> None:
    for source in (Airflow(), Airflow("http://x", database=Secret("sqlite:///x"))):
        with pytest.raises(InputError, match="Either"):
            list(source.read())


class Stub:
    """An Airflow with some runs of one task, which may misbehave."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.valid = "t1"
        self.tokens = 0
        self.fault: Answer | None = None
        self.keyset = True

    def __call__(self, request: Request) -> Answer:
        if request.path == "/auth/token":
            self.tokens += 1
            self.valid = f"t{self.tokens}"
            return Answer({"access_token": self.valid})
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            return Answer({"detail": "Token Expired"}, 401)
        if self.fault and request.path.endswith("/dagRuns"):
            return self.fault
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        if request.path.endswith("/monitor/health"):
            return Answer({"scheduler": {"latest_scheduler_heartbeat": "2026-03-02T09:00:00Z"}})
        if request.path.endswith("/dagRuns"):
            return self._runs(request)
        if request.path.endswith("/taskInstances"):
            run = request.path.split("/")[-2]
            one = tried("a", 1, "success", 1, dag_run_id=run)[1]
            return Answer({"task_instances": [one], "total_entries": 1})
        if request.path.endswith("/hitlDetails"):
            return Answer({"detail": "Not Found"}, 404)  # as Airflow 3.0 does
        if request.path.endswith("/eventLogs"):
            return Answer({"detail": "Forbidden"}, 403)
        return Answer({"dags": [], "total_entries": 0})

    def _runs(self, request: Request) -> Answer:
        begin = int(request.params.get("cursor") or request.params.get("offset") or 0)
        found = [RUN | {"dag_run_id": f"r{n}"} for n in range(begin, min(begin + 2, self.runs))]
        more = {"total_entries": self.runs}
        if self.keyset:
            following = str(begin + 2) if begin + 2 < self.runs else None
            more |= {"next_cursor": following}  # type: ignore[dict-item]
        return Answer({"dag_runs": [] if request.params.get("state") else found, **more})


@pytest.fixture
def stub() -> Iterator[tuple[Stub, Airflow]]:
    stub = Stub(runs=5)
    with answering(stub) as server:
        yield stub, Airflow(server.address, "ben", Secret("s3cret"))


@pytest.mark.parametrize("keyset", [True, False])
def test_all_pages_of_runs_are_read_with_cursors_or_without(
    stub: tuple[Stub, Airflow], keyset: bool, tmp_path: Path
) -> None:
    airflow, source = stub
    airflow.keyset = keyset
    loaded = load(source, EventStore(tmp_path / "store"), process="airflow")
    assert (loaded.cases, loaded.counts.new) == (5, 15)
    assert any("audit log" in each.text for each in loaded.limitations)
    assert answer(tmp_path, "summary", "orders")["cases"] == 5
    again = load(source, EventStore(tmp_path / "store"), process="airflow")
    assert (again.counts.new, again.counts.duplicate) == (0, 15)


def test_a_pass_that_was_interrupted_goes_on_at_its_page(stub: tuple[Stub, Airflow]) -> None:
    _, source = stub
    pieces = [piece for piece in source.fetch(Known()) if piece.raw]
    assert [len(source.decode(piece.raw)["case_id"].unique()) for piece in pieces] == [2, 2, 1]
    rest = list(source.fetch(Known(cursor=pieces[0].cursor)))
    events = pl.concat([source.decode(piece.raw) for piece in rest if piece.raw])
    assert sorted(events["case_id"].unique()) == ["r2", "r3", "r4"]


def test_a_token_that_expires_is_renewed(stub: tuple[Stub, Airflow]) -> None:
    airflow, source = stub
    pieces = source.fetch(Known())
    next(pieces)
    airflow.valid = "expired"
    assert len([piece for piece in pieces if piece.raw]) == 3
    assert airflow.tokens == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Answer(b"<html>sign in</html>"), SourceRefusedError),
        (Answer({"rows": []}), SourceRefusedError),
        (Answer({"detail": "Not Found"}, 404), SourceRefusedError),
        (Answer({"detail": "busy"}, 503, {"Retry-After": "0"}), SourceUnavailableError),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    stub: tuple[Stub, Airflow], fault: Answer, error: type[Exception]
) -> None:
    airflow, source = stub
    airflow.fault = fault
    with pytest.raises(error) as caught:
        list(source.read())
    assert "s3cret" not in str(caught.value)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(SourceRefusedError, match="no Airflow"):
        list(Airflow(database=Secret(f"sqlite:///{tmp_path / 'empty.db'}")).read())
