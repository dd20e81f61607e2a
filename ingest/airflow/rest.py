"""Airflow 3 through its public interface (REST, version 2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from ingest import http
from ingest.airflow.actions import CLEARS
from ingest.airflow.lines import KINDS
from ingest.source import OVERLAP, Fetched, Known, Secret
from miner.errors import SourceRefusedError
from miner.eventlog.definitions import Definition, Limitation

PAGE = 100
"""Airflow gives no longer pages by default, whatever is asked for."""
LINES_PER_PIECE = 20_000
FAILED = ("failed", "up_for_retry")
LONGEST_DELAY = timedelta(days=7)
"""How long after a clear its tasks may begin and are still known to be its."""


def token(address: str, user: str, password: Secret) -> str:
    """A new token for a user; it holds for some hours."""
    with http.client(address) as api:
        asked = {"username": user, "password": str.__str__(password)}
        answer = api.post("auth/token", asked)
    if not isinstance(answer, dict) or "access_token" not in answer:
        raise SourceRefusedError(
            f"{address} gave no token.", hint="Give a token of your own with --ask-token."
        )
    return str(answer["access_token"])


@dataclass
class RestReading:
    """One pass over the runs that have changed, in order of their beginning.

    The cursor holds `until`, the time of Airflow's clock at which the last complete pass began, and
    while a pass is not complete, when it began (`begun`) and where its next page is (`page`).
    """

    api: http.Client
    known: Known
    dag: str
    errors: bool
    lines: list[bytes] = field(default_factory=list)
    actions: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    has_people: bool = False

    def fetch(self) -> Iterator[Fetched]:
        """All runs that changed since the last complete pass, and those that still run."""
        cursor = dict(self.known.cursor or {})
        begun = cursor.get("begun") or self._now()
        until = cursor.get("until")
        since = (datetime.fromisoformat(until) - OVERLAP).isoformat() if until else None
        yield from self._actions(since)
        self.has_people = self._asks_people()
        page: str | int | None = cursor.get("page", "")
        while page is not None:
            runs, page = self._runs(page, since)
            for run in runs:
                self._run(run)
                if len(self.lines) > LINES_PER_PIECE:
                    yield self._piece(None)
            going_on = {"until": until, "begun": begun, "page": page}
            yield self._piece(going_on if page is not None else {"until": begun})
        if since:
            yield from self._open_runs()

    def definitions(self) -> Iterator[Definition]:
        """The source text of each version of each DAG, and the tasks of the newest."""
        for dag in self._pages("dags", "dags", exclude_stale=False):
            if self.dag in ("~", dag["dag_id"]):
                yield from self._versions(dag["dag_id"])

    def _versions(self, dag: str) -> Iterator[Definition]:
        place = f"dags/{quote(dag, safe='')}"
        versions = list(self._pages(f"{place}/dagVersions", "dag_versions"))
        for version in versions:
            number = version["version_number"]
            source = self.api.get(f"dagSources/{quote(dag, safe='')}", version_number=number)
            since = _instant(version["created_at"])
            text = source["content"] or ""
            yield Definition(dag, str(number), "airflow-source", text, since, version["id"])
        if versions:
            newest = max(versions, key=lambda each: int(each["version_number"]))
            number, since = str(newest["version_number"]), _instant(newest["created_at"])
            text = self.api.get_bytes(f"{place}/tasks").decode()
            yield Definition(dag, number, "airflow-tasks", text, since, newest["id"])

    def _now(self) -> str:
        """The time by Airflow's clock, at least of a moment ago; by ours if it does not say."""
        told = self.api.get("monitor/health").get("scheduler") or {}
        beat = told.get("latest_scheduler_heartbeat")
        now = datetime.now(UTC)
        return min(now, datetime.fromisoformat(beat)).isoformat() if beat else now.isoformat()

    def _actions(self, since: str | None) -> Iterator[Fetched]:
        """What people had done again; not everybody who may see runs may see that."""
        before = datetime.fromisoformat(since) - LONGEST_DELAY if since else None
        given = {
            "included_events": sorted(CLEARS),
            "after": before.isoformat() if before else None,
            "order_by": "event_log_id",
        }
        if self.dag != "~":
            given["dag_id"] = self.dag
        try:
            for action in self._pages("eventLogs", "event_logs", **given):
                run = action["run_id"] or _run_in(action["extra"])
                self.actions.setdefault((action["dag_id"], run), []).append(action)
        except SourceRefusedError as error:
            if " 403 " not in error.message:
                raise
            text = "The audit log may not be read: who had tasks done again is unknown."
            yield Fetched(b"", None, (Limitation("hidden", text, ("retry_rate", "rework_rate")),))

    def _runs(
        self, page: str | int, since: str | None
    ) -> tuple[list[dict[str, Any]], str | int | None]:
        """A page of runs and the next; by cursor, or by offset where Airflow knows no cursors."""
        place = f"dags/{quote(self.dag, safe='~')}/dagRuns"
        at = {"cursor": page} if isinstance(page, str) else {"offset": page}
        answer = self.api.get(place, **at, updated_at_gte=since, order_by="id", limit=PAGE)
        runs = _list(answer, "dag_runs")
        if "next_cursor" in answer:
            if page and answer["next_cursor"] == page:
                raise SourceRefusedError(
                    "Airflow gave the same page of runs twice.",
                    hint="Try again later; what was read is kept.",
                )
            return runs, answer["next_cursor"]
        done = (page if isinstance(page, int) else 0) + len(runs)
        return runs, done if runs and done < answer["total_entries"] else None

    def _open_runs(self) -> Iterator[Fetched]:
        place = f"dags/{quote(self.dag, safe='~')}/dagRuns"
        for run in self._pages(place, "dag_runs", state=["running", "queued"], order_by="id"):
            self._run(run)
        yield self._piece(None)

    def _run(self, run: dict[str, Any]) -> None:
        """Gather a run with all tries of its tasks and what people did."""
        dag, name = run["dag_id"], run["dag_run_id"]
        place = f"dags/{quote(dag, safe='')}/dagRuns/{quote(name, safe='')}"
        versions = run.get("dag_versions") or []
        version = str(versions[-1]["version_number"]) if versions else None
        self._add("run", {**run, "version": version})
        for task in self._pages(f"{place}/taskInstances", "task_instances"):
            for each in self._tries(place, task):
                self._add("try", {**each, "version": _version(each)})
                if self.errors and each["state"] in FAILED:
                    self._failure(place, each)
        for action in self.actions.get((dag, name), []):
            self._add("action", action)
        if self.has_people:
            self._people(place)

    def _tries(self, place: str, task: dict[str, Any]) -> list[dict[str, Any]]:
        """All tries of a task; only where there may be several, because that is one more call."""
        if task["try_number"] <= 1 and (task["state"] or not task["try_number"]):
            return [task]
        tries = _list(self.api.get(f"{_task(place, task)}/tries"), "task_instances")
        known = {each["try_number"] for each in tries}
        return tries if task["try_number"] in known else [*tries, task]

    def _failure(self, place: str, each: dict[str, Any]) -> None:
        """Why a try failed stands only in its log."""
        where = f"{place}/taskInstances/{quote(each['task_id'], safe='')}"
        told = self.api.get(
            f"{where}/logs/{each['try_number']}", full_content=True, map_index=each["map_index"]
        )
        lines = told.get("content") if isinstance(told, dict) else None
        found = [
            line["error_detail"][0]
            for line in lines or []
            if isinstance(line, dict) and line.get("error_detail")
        ]
        if found:
            said = {"error_type": found[-1]["exc_type"], "error_message": found[-1]["exc_value"]}
            self._add("failure", each | said)

    def _people(self, place: str) -> None:
        for asked in self._pages(f"{place}/hitlDetails", "hitl_details"):
            by = asked.get("responded_by_user") or {}
            chosen = asked.get("chosen_options")
            told = {
                "subject": asked["subject"],
                "created_at": asked["created_at"],
                "responded_at": asked.get("responded_at"),
                "responded_by": by.get("name") or by.get("id"),
                "chosen_options": json.dumps(chosen) if chosen else None,
            }
            self._add("human", asked["task_instance"] | told)

    def _asks_people(self) -> bool:
        """Whether any task ever asked people; none did before Airflow 3.1."""
        place = f"dags/{quote(self.dag, safe='~')}/dagRuns/~/hitlDetails"
        try:
            answer = self.api.get(place, limit=1)
        except SourceRefusedError as error:
            if " 404 " not in error.message:
                raise
            return False
        return isinstance(answer, dict) and bool(answer.get("total_entries"))

    def _pages(self, path: str, key: str, **given: Any) -> Iterator[dict[str, Any]]:
        done = 0
        while True:
            answer = self.api.get(path, **given, limit=PAGE, offset=done)
            found = _list(answer, key)
            yield from found
            done += len(found)
            if not found or done >= answer["total_entries"]:
                return

    def _add(self, kind: str, body: dict[str, Any]) -> None:
        told = {name: body[name] for name in KINDS[kind] if body.get(name) is not None}
        self.lines.append(json.dumps({"kind": kind, kind: told}, separators=(",", ":")).encode())

    def _piece(self, cursor: dict[str, Any] | None) -> Fetched:
        lines, self.lines = self.lines, []
        return Fetched(b"\n".join(lines), cursor)


def _list(answer: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(answer, dict) or not isinstance(answer.get(key), list):
        raise SourceRefusedError(
            f"The answer of Airflow has no {key}.",
            hint="Airflow 3 or newer is read by its address; older ones by their database.",
        )
    found: list[dict[str, Any]] = answer[key]
    return found


def _task(place: str, task: dict[str, Any]) -> str:
    where = f"{place}/taskInstances/{quote(task['task_id'], safe='')}"
    return f"{where}/{task['map_index']}" if task["map_index"] >= 0 else where


def _version(each: dict[str, Any]) -> str | None:
    version = each.get("dag_version") or {}
    return str(version["version_number"]) if "version_number" in version else None


def _run_in(extra: str | None) -> str:
    try:
        told = json.loads(extra or "{}")
    except ValueError:
        return ""
    return str(told.get("dag_run_id") or "") if isinstance(told, dict) else ""


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
