"""Holds requests and answers against Camunda's own client; run by a Python that has it installed.

Standard input holds lines of `[path, body, answer]`. Exits with 1 and says what is wrong when a
request has a filter, a sort or a page that the client does not know, or an answer lacks a field.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

models = importlib.import_module("camunda_orchestration_sdk.models")

SEARCHES = {
    "process-instances": "ProcessInstanceSearchQuery",
    "element-instances": "ElementInstanceSearchQuery",
    "jobs": "JobSearchQuery",
    "incidents": "IncidentSearchQuery",
    "user-tasks": "UserTaskSearchQuery",
    "audit-logs": "AuditLogSearchQuery",
    "process-definitions": "ProcessDefinitionSearchQuery",
}
"""How the client calls each search; requests of some end with `Request`."""


def unknown(value: Any, path: str = "") -> list[str]:
    """The fields that the client's classes have no place for."""
    found = []
    for name in getattr(value, "additional_properties", {}):
        found.append(f"{path}.{name}")
    for name in getattr(type(value), "__attrs_attrs__", ()):
        if name.name != "additional_properties":
            found += unknown(getattr(value, name.name), f"{path}.{name.name}")
    if isinstance(value, list):
        for each in value:
            found += unknown(each, f"{path}[]")
    return found


def main() -> None:
    seen = set()
    for line in sys.stdin:
        path, body, answer = json.loads(line)
        what = path.strip("/").split("/")[1]
        if what not in SEARCHES or answer is None:
            continue
        name = SEARCHES[what]
        request = getattr(models, name, None) or getattr(models, f"{name}Request")
        result = getattr(models, f"{name}Result")
        # The client takes whatever page fits first, which may not be the one that was meant.
        page = models.CursorBasedForwardPagination.from_dict(body.get("page", {}))
        wrong = [field for field in unknown(request.from_dict(body)) if field != ".page.after"]
        wrong += unknown(page, "page") + unknown(result.from_dict(answer))
        if wrong:
            sys.exit(f"{path}: {wrong}")
        seen.add(what)
    print(" ".join(sorted(seen)))


if __name__ == "__main__":
    main()
