"""Camunda 7 over its REST interface.

Rows are read case by case: most of the interface has no other filter in common, and its internal
`/optimize` part, which pages by time, asks for rights on decisions and tenants as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ingest.camunda7.road import Instances, Road
from ingest.camunda7.rows import first_line, part
from ingest.camunda7.xml import elements
from ingest.http import Client
from miner.errors import SourceRefusedError
from miner.eventlog.definitions import Definition

PAGE_CASES = 100
PAGE_ROWS = 1000
REQUESTS_AT_ONCE = 4
BY_TIME = (
    {"sortBy": "startTime", "sortOrder": "asc"},
    {"sortBy": "instanceId", "sortOrder": "asc"},
)
IN_ORDER = [
    {"sortBy": "occurrence", "sortOrder": "asc"},
    {"sortBy": "startTime", "sortOrder": "asc"},
    {"sortBy": "activityInstanceId", "sortOrder": "asc"},
]
PER_CASE = ("job-log", "external-task-log", "incident", "user-operation")
"""Kinds whose rows are asked for where a definition has any at all."""
DETAILS = {"job-log": "stacktrace", "external-task-log": "error-details"}
"""Where the stack trace of a failure is."""
BULK = ("SetJobRetries", "SetExternalTaskRetries")
OPERATIONS = (*BULK, "ModifyProcessInstance", "Complete")
"""What people do that becomes an event or says who they are."""


class RestRoad(Road):
    """The REST interface of an engine."""

    def __init__(self, api: Client, name: str, definition: str | None) -> None:
        self._api = api
        self._name = name
        self._only = {"processDefinitionKey": definition} if definition else {}
        self._most = PAGE_ROWS
        self._present: dict[tuple[str, str | None, str | None], bool] = {}
        self._elements: dict[str, list[dict[str, Any]]] = {}

    def started(self, after: datetime | None) -> Iterator[Instances]:
        """Instances that began at `after` (UTC) or later, the first to begin first."""
        since = _written(after) if after else None
        seen: set[str] = set()
        first = 0
        while True:
            asked = {"startedAfter": since} if since else {}
            page = self._cases(asked, first, PAGE_CASES)
            fresh = [row for row in page if row["id"] not in seen]
            if fresh:
                yield self._instances(fresh, _instant(fresh[-1]["startTime"]))
            if len(page) < min(PAGE_CASES, self._most):
                return
            last = page[-1]["startTime"]
            if last == since:
                if not fresh:
                    raise self._repeats("history/process-instance")
                first += len(page)
            else:
                since, first, seen = last, 0, set()
            seen |= {row["id"] for row in page if row["startTime"] == last}

    def begun_before(self, before: datetime, *, finished_after: datetime) -> Iterator[Instances]:
        """Instances that began earlier and ended since, in no order."""
        asked = {"startedBefore": _written(before), "finishedAfter": _written(finished_after)}
        yield from self._all_cases(asked)

    def unfinished_before(self, before: datetime) -> Iterator[Instances]:
        """Instances that began earlier and still run, in no order."""
        yield from self._all_cases({"startedBefore": _written(before), "unfinished": True})

    def known(self, ids: Sequence[str]) -> Iterator[Instances]:
        """The instances of these ids that the engine still knows."""
        for i in range(0, len(ids), PAGE_CASES):
            rows = list(self._pages_of_cases({"processInstanceIds": ids[i : i + PAGE_CASES]}))
            if rows:
                yield self._instances(rows, None)

    def history(self, instances: Instances) -> bytes:
        """Lines with all that is recorded of these instances."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            parts = list(pool.map(self._of_case, instances.ids, instances.definitions))
        found: dict[str, list[Any]] = {"activity": [], **{kind: [] for kind in PER_CASE}}
        found["identity-link-log"] = []
        for read in parts:
            for kind, rows in read.items():
                found[kind] += rows
        with_jobs = {row["processDefinitionId"] for row in found["job-log"]}
        found["element"] = [row for each in sorted(with_jobs) for row in self._model(each)]
        return instances.raw + b"".join(part(kind, rows) for kind, rows in found.items())

    def definitions(self) -> Iterator[Definition]:
        """The text of each version of each process."""
        key = self._only.get("processDefinitionKey")
        order = {"sortBy": "deploymentId", "sortOrder": "asc"}
        deployed = self._deployed()
        for row in self._rows("GET", "process-definition", {"key": key, **order}):
            text = self._text(row["id"])
            if text is not None:
                yield Definition(
                    process=row["key"],
                    version=str(row["version"]),
                    format="bpmn",
                    text=text,
                    valid_from=deployed.get(row["deploymentId"]),
                    definition_id=row["id"],
                )

    def _of_case(self, case_id: str, definition_id: str) -> dict[str, list[Any]]:
        """The rows of a case; its activities first, so that no job seems to be without one."""
        body = {"processInstanceId": case_id, "sorting": IN_ORDER}
        found = {"activity": list(self._rows("POST", "history/activity-instance", body))}
        for kind in PER_CASE:
            if self._concerns(kind, definition_id):
                rows = list(self._rows("GET", f"history/{kind}", _by_time(kind, case_id)))
                found[kind] = [self._explained(kind, row) for row in rows]
        links: list[dict[str, Any]] = []
        for task in {row["taskId"] for row in found["activity"] if row["taskId"]}:
            asked = {"taskId": task, "type": "assignee", "sortBy": "time", "sortOrder": "asc"}
            links += self._rows("GET", "history/identity-link-log", asked)
        return found | {"identity-link-log": links}

    def _explained(self, kind: str, row: dict[str, Any]) -> dict[str, Any]:
        """A row with the first line of the stack trace, where it is of a failure."""
        if kind not in DETAILS or not row.get("failureLog"):
            return row
        try:
            trace = self._api.get_bytes(f"history/{kind}/{row['id']}/{DETAILS[kind]}")
        except SourceRefusedError:
            return row
        return row | {"exception": first_line(trace)}

    def _all_cases(self, asked: dict[str, Any]) -> Iterator[Instances]:
        """Read to the end before any is used: what ends meanwhile would shift the pages."""
        rows = list(self._pages_of_cases(asked))
        for i in range(0, len(rows), PAGE_CASES):
            yield self._instances(rows[i : i + PAGE_CASES], None)

    def _pages_of_cases(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        body = {**self._only, **asked, "sorting": BY_TIME}
        yield from self._rows("POST", "history/process-instance", body)

    def _cases(self, asked: dict[str, Any], first: int, most: int) -> list[dict[str, Any]]:
        body = {**self._only, **asked, "sorting": BY_TIME}
        return self._page("POST", "history/process-instance", body, first, most)

    def _instances(self, rows: list[dict[str, Any]], latest: datetime | None) -> Instances:
        ids = tuple(str(row["id"]) for row in rows)
        definitions = tuple(str(row["processDefinitionId"]) for row in rows)
        return Instances(ids, part("instance", rows), latest, definitions)

    def _rows(self, method: str, path: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        first, before = 0, None
        while True:
            page = self._page(method, path, asked, first, self._most)
            yield from page
            if len(page) < self._most:
                return
            if page[0] == before:
                raise self._repeats(path)
            first, before = first + len(page), page[0]

    def _page(
        self, method: str, path: str, asked: dict[str, Any], first: int, most: int
    ) -> list[dict[str, Any]]:
        limits = {"firstResult": first, "maxResults": min(most, self._most)}
        try:
            if method == "POST":
                page = self._api.post(path, asked, **limits)
            else:
                page = self._api.get(path, **asked, **limits)
        except SourceRefusedError as error:
            self._heed_limit(error)
            return self._page(method, path, asked, first, most)
        if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
            raise SourceRefusedError(
                f"{self._name} answered {path} with something else than rows: {str(page)[:80]!r}.",
                hint="Check that it is Camunda 7, Operaton or CIB seven, and its version.",
            )
        if page and "id" not in page[0]:
            raise self._changed(path, page[0])
        return page

    def _heed_limit(self, error: SourceRefusedError) -> None:
        """Go on with pages as small as the engine wants them, or raise what it said."""
        found = re.search(r"limit of (\d+) exceeded", error.hint)
        if not found or not 0 < int(found[1]) < self._most:
            raise error
        self._most = int(found[1])

    def _changed(self, path: str, row: dict[str, Any]) -> SourceRefusedError:
        return SourceRefusedError(
            f"{self._name} answers {path} with rows of another shape: {', '.join(sorted(row))}."[
                :300
            ],
            hint="Check that it is Camunda 7, Operaton or CIB seven, and its version.",
        )

    def _repeats(self, path: str) -> SourceRefusedError:
        return SourceRefusedError(
            f"{self._name} answers {path} with the same page again and again.",
            hint="Something between here and the engine drops what is asked for, perhaps a proxy.",
        )

    def _has(
        self, kind: str, definition_id: str | None = None, operation: str | None = None
    ) -> bool:
        """Whether there are rows of a kind, asked once."""
        key = (kind, definition_id, operation)
        if key not in self._present:
            asked = {"processDefinitionId": definition_id, "operationType": operation}
            self._present[key] = bool(self._page("GET", f"history/{kind}", asked, 0, 1))
        return self._present[key]

    def _concerns(self, kind: str, definition_id: str) -> bool:
        """Whether cases of a definition may have rows of a kind that become events."""
        if kind != "user-operation":
            return self._has(kind, definition_id)
        return any(self._has(kind, definition_id, operation) for operation in OPERATIONS)

    def _shows(self, kind: str) -> bool:
        return self._has(kind)

    def _removes(self) -> bool:
        ended = self._cases({"finished": True}, 0, 1)
        return bool(ended and ended[0].get("removalTime"))

    def _bulk_operations(self, after: datetime | None) -> int:
        number = 0
        for operation in BULK:
            asked = {"operationType": operation, "sortBy": "timestamp", "sortOrder": "asc"}
            since = {"afterTimestamp": _written(after) if after else None}
            rows = self._rows("GET", "history/user-operation", asked | since)
            number += sum(row.get("processInstanceId") is None for row in rows)
        return number

    def _model(self, definition_id: str) -> list[dict[str, Any]]:
        if definition_id not in self._elements:
            self._elements[definition_id] = elements(definition_id, self._text(definition_id) or "")
        return self._elements[definition_id]

    def _text(self, definition_id: str) -> str | None:
        """The text of a model; null where this user may not read it."""
        try:
            found = self._api.get(f"process-definition/{definition_id}/xml")
        except SourceRefusedError as error:
            if re.search(r" with (403|404) ", error.message):
                return None
            raise
        text = found.get("bpmn20Xml") if isinstance(found, dict) else None
        return text if isinstance(text, str) else None

    def _deployed(self) -> dict[str, datetime]:
        """When each deployment was made; empty where this user may not read them."""
        try:
            rows = list(self._rows("GET", "deployment", {}))
        except SourceRefusedError:
            return {}
        return {row["id"]: _instant(row["deploymentTime"]) for row in rows}


def _by_time(kind: str, case_id: str) -> dict[str, Any]:
    column = "createTime" if kind == "incident" else "timestamp"
    return {"processInstanceId": case_id, "sortBy": column, "sortOrder": "asc"}


def _written(at: datetime) -> str:
    """As the engine wants times: with milliseconds and an offset without a colon."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _instant(written: Any) -> datetime:
    try:
        read = datetime.strptime(str(written), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError as error:
        raise SourceRefusedError(
            f"The engine gave a time that is none: {json.dumps(written)[:60]}.",
            hint="It has to write times as 2024-05-31T12:00:00.000+0000, which is its default.",
        ) from error
    return read.astimezone(UTC).replace(tzinfo=None)
