"""What the `[request]` of a mapping file asks of an API: address, paging, authentication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as option
from typing import Any
from urllib.parse import urlsplit

from ingest.mapping.file import Document, Place
from ingest.mapping.values import path_of

METHODS = ("GET", "POST")
REQUIRED = object()

REQUEST: dict[str, Any] = {
    "url": REQUIRED, "method": "GET", "headers": {}, "params": {}, "body": None, "records": "",
    "paging": {}, "authentication": {}, "incremental": {},
}  # fmt: skip
PAGING: dict[str, dict[str, Any]] = {
    "none": {},
    "link": {"relation": "next"},
    "next": {"path": REQUIRED},
    "cursor": {"path": REQUIRED, "param": "cursor"},
    "offset": {"param": "offset", "limit_param": "limit", "limit": 100, "total": None},
    "page": {"param": "page", "first": 1, "size_param": None, "size": 100, "total": None},
}
"""For each way of paging, its keys and what they are by default."""
AUTHENTICATION: dict[str, dict[str, Any]] = {
    "none": {},
    "bearer": {},
    "basic": {"user": REQUIRED},
    "api_key": {"name": REQUIRED, "in": "header"},
    "oauth2": {"token_url": REQUIRED, "client_id": REQUIRED, "scope": None},
}
"""The same for the ways of saying who asks; the secret itself is no part of the file."""
INCREMENTAL: dict[str, Any] = {
    "field": REQUIRED, "param": REQUIRED, "format": "iso", "overlap": 600.0,
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is asked of an API, and where records are in its answers."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = option(default_factory=dict)
    params: Mapping[str, Any] = option(default_factory=dict)
    body: Mapping[str, Any] | None = None
    records: tuple[str, ...] = ()
    """The path to the list of records; empty: the answer is that list."""
    paging: Mapping[str, Any] = option(default_factory=dict)
    authentication: Mapping[str, Any] = option(default_factory=dict)
    incremental: Mapping[str, Any] = option(default_factory=dict)

    @property
    def field(self) -> tuple[str, ...]:
        """The path of the field that grows with each change; empty if there is none."""
        return path_of(self.incremental["field"]) or () if self.incremental else ()


def request_of(document: Document) -> Request:
    """The `[request]` of a mapping file; InputError with the line for what is wrong in it."""
    if not isinstance(document.content.get("request"), dict):
        raise document.problem((), "there is no [request].", 'Add one with url = "https://…".')
    given = _checked(document, ("request",), REQUEST)
    place: Place = ("request",)
    scheme = urlsplit(str(given["url"])).scheme
    if scheme not in ("http", "https"):
        text = f"{given['url']!r} is no address."
        raise document.problem((*place, "url"), text, "Write https://host/path.")
    if given["method"] not in METHODS:
        text = f"method cannot be {given['method']!r}."
        raise document.problem((*place, "method"), text, f"Use {' or '.join(METHODS)}.")
    records = path_of(given["records"]) if given["records"] else ()
    if records is None:
        text = f"records cannot be {given['records']!r}."
        raise document.problem((*place, "records"), text, "Write a path like data.items.")
    kinds = {"paging": PAGING, "authentication": AUTHENTICATION}
    chosen: dict[str, Any] = {
        name: _kind(document, (*place, name), known) for name, known in kinds.items()
    }
    if given["incremental"]:
        chosen["incremental"] = _checked(document, (*place, "incremental"), INCREMENTAL)
        if not path_of(str(chosen["incremental"]["field"])):
            raise document.problem((*place, "incremental", "field"), "field has to be a path.")
    plain = {key: given[key] for key in ("url", "method", "headers", "params", "body")}
    return Request(records=records, **plain, **chosen)


def _kind(document: Document, place: Place, known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A table whose `kind` says which keys it has."""
    table = document.content["request"].get(place[-1], {})
    if not isinstance(table, dict):
        raise document.problem(place, f"{place[-1]} has to be a table.")
    kind = table.get("kind", "none")
    if kind not in known:
        text = f"kind cannot be {kind!r}."
        raise document.problem((*place, "kind"), text, f"Use {', '.join(known)}.")
    return _checked(document, place, {"kind": None} | known[kind]) | {"kind": kind}


def _checked(document: Document, place: Place, known: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a table, with those that are not given; InputError for other keys."""
    table: Any = document.content
    for step in place:
        table = table.get(step, {})
    if not isinstance(table, dict):
        raise document.problem(place, f"{place[-1]} has to be a table.")
    for key in table:
        if key not in known:
            raise document.unknown((*place, key), list(known))
    for key, default in known.items():
        if default is REQUIRED and key not in table:
            raise document.problem(place, f"{key} is missing.", f'Add {key} = "…".')
        if key in table and not _fits(table[key], default):
            raise document.problem((*place, key), f"{key} cannot be {table[key]!r}.")
    return {**known, **table}


def _fits(value: object, default: object) -> bool:
    if default is REQUIRED or isinstance(default, str):
        return isinstance(value, str) and value != ""
    if isinstance(default, bool | int | float):
        return isinstance(value, int | float)
    if isinstance(default, dict):
        return isinstance(value, dict)
    return True
