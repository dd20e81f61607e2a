"""The search interface of Camunda 8 (Orchestration Cluster REST API, version 2), page by page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ingest.http import Client
from ingest.zeebe.models import Model, names
from miner.errors import SourceRefusedError

RUNS = 100
"""Runs that are read at a time, each whole."""
ITEMS = 1000
"""Items of one answer."""
OLDEST = (8, 8)
"""The first version with all of these searches but the audit log."""
AUDITED = (8, 9)
"""The first version with an audit log."""

_OF_RUNS = {
    "job": "jobs",
    "user-task": "user-tasks",
    "incident": "incidents",
    "audit-log": "audit-logs",
}


class Cluster:
    """What is asked of one cluster."""

    def __init__(self, api: Client, processes: Sequence[str]) -> None:
        self._api = api
        self._processes = processes
        self._models: dict[str, list[dict[str, Any]]] = {}
        self.version = self._version()

    def runs(self, since: str | None) -> Iterator[list[dict[str, Any]]]:
        """Process instances that started or ended since then or still run, by their starts."""
        wanted: dict[str, Any] = self._only()
        if since:
            moment = {"$gte": since}
            running = {"endDate": {"$exists": False}}
            wanted["$or"] = [{"startDate": moment}, {"endDate": moment}, running]
        sort = [{"field": "startDate", "order": "ASC"}, {"field": "processInstanceKey"}]
        yield from self._pages("process-instances", wanted, RUNS, sort)

    def runs_of(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """The process instances with these keys that the cluster still has."""
        wanted = {**self._only(), "processInstanceKey": {"$in": list(keys)}}
        return [run for page in self._pages("process-instances", wanted, RUNS) for run in page]

    def raw(self, runs: Sequence[dict[str, Any]]) -> bytes:
        """Everything about these process instances: a line of JSON per item."""
        keys = [str(run.get("processInstanceKey")) for run in runs]
        if not keys:
            return b""
        items = [("process-instance", run) for run in runs]
        either = {"$or": [{"processInstanceKey": key} for key in keys]}
        items += self._items("element-instance", "element-instances", either)
        for kind, plural in _OF_RUNS.items():
            if kind != "audit-log" or self.version >= AUDITED:
                items += self._items(kind, plural, {"processInstanceKey": {"$in": keys}})
        definitions = {str(item.get("processDefinitionKey")) for _, item in items} - {"None", ""}
        for key in sorted(definitions):
            items += [("element", element) for element in self._elements(key)]
        lines = (json.dumps({"kind": kind, "body": body}) for kind, body in items)
        return "\n".join(lines).encode()

    def models(self) -> Iterator[Model]:
        """Every deployed version of every process."""
        for page in self._pages("process-definitions", self._only()):
            for item in page:
                yield self._model(item)

    def _only(self) -> dict[str, Any]:
        chosen = list(self._processes)
        return {"processDefinitionId": {"$in": chosen}} if chosen else {}

    def _items(
        self, kind: str, plural: str, wanted: dict[str, Any]
    ) -> list[tuple[str, dict[str, Any]]]:
        return [(kind, item) for page in self._pages(plural, wanted) for item in page]

    def _elements(self, key: str) -> list[dict[str, Any]]:
        """The elements of a deployed version whose jobs are tried a known number of times."""
        if key not in self._models:
            wanted = {"processDefinitionKey": key}
            found = [
                item for page in self._pages("process-definitions", wanted, 1) for item in page
            ]
            told = names(self._model(item) for item in found)
            self._models[key] = told.select("element_id", "version", "retries").to_dicts()
        return [{"processDefinitionKey": key, **element} for element in self._models[key]]

    def _model(self, item: dict[str, Any]) -> Model:
        try:
            key = str(item["processDefinitionKey"])
            text = self._api.get_bytes(f"v2/process-definitions/{key}/xml").decode("utf-8")
            version, process = str(item["version"]), str(item["processDefinitionId"])
        except (KeyError, UnicodeDecodeError) as error:
            raise SourceRefusedError(
                f"Camunda 8 answered with a process definition that cannot be used: {error}.",
                hint=_CHANGED,
            ) from error
        return Model(key, process, version, item.get("versionTag") or None, text)

    def _pages(
        self,
        what: str,
        wanted: dict[str, Any],
        limit: int = ITEMS,
        sort: Sequence[dict[str, str]] = (),
    ) -> Iterator[list[dict[str, Any]]]:
        after = None
        while True:
            page = {"limit": limit} if after is None else {"limit": limit, "after": after}
            body = {"filter": wanted, "page": page, **({"sort": list(sort)} if sort else {})}
            items, end = _checked(self._api.post(f"v2/{what}/search", body), what)
            if items:
                yield items
            if len(items) < limit or end is None:
                return
            if end == after:
                raise SourceRefusedError(
                    f"Camunda 8 answered {what}/search with the same page again.", hint=_CHANGED
                )
            after = end

    def _version(self) -> tuple[int, int]:
        told = self._api.get("v2/topology")
        found = told.get("gatewayVersion") if isinstance(told, dict) else None
        numbers = re.match(r"(\d+)\.(\d+)", str(found))
        if not numbers:
            raise SourceRefusedError(
                "What answers v2/topology is no Camunda 8: it names no gatewayVersion.",
                hint="Give the address of the Orchestration Cluster, without /v2.",
            )
        version = int(numbers[1]), int(numbers[2])
        if version < OLDEST:
            raise SourceRefusedError(
                f"This is Camunda {found}; its search interface is older than 8.8.",
                hint="Read its exported records instead: procession load zeebe-records.",
            )
        return version


_CHANGED = "The interface may have changed; look for a newer version of Procession."


def _checked(answer: Any, what: str) -> tuple[list[dict[str, Any]], str | None]:
    items = answer.get("items") if isinstance(answer, dict) else None
    page = answer.get("page") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not isinstance(page, dict):
        raise SourceRefusedError(
            f"Camunda 8 answered {what}/search without items and page.", hint=_CHANGED
        )
    if not all(isinstance(item, dict) for item in items):
        raise SourceRefusedError(
            f"Camunda 8 answered {what}/search with items that are no objects.", hint=_CHANGED
        )
    end = page.get("endCursor")
    return items, str(end) if end else None
