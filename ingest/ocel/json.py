"""Object-centric logs in JSON: OCEL 2.0 and 1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ingest.ocel.tables import OcelTables
from ingest.xes.unpack import unpacked
from miner.errors import LogFormatError

MAX_BYTES = 1 << 30


def read_json(path: Path, tables: OcelTables) -> None:
    """Read the log into `tables`.

    The file is held in memory as a whole, because JSON has no order to rely on; a log above
    `MAX_BYTES` is refused, SQLite and XML have no such limit. Raises LogFormatError for what is not
    JSON or not OCEL.
    """
    content = _parsed(path, tables)
    if isinstance(content, dict) and "ocel:events" in content:
        _read_first_version(content, tables)
    elif isinstance(content, dict) and isinstance(content.get("events"), list):
        _read_second_version(content, tables)
    else:
        raise LogFormatError(
            f"{path} is JSON but no OCEL: it has neither a list 'events' nor 'ocel:events'.",
            hint="Check the format: is it a schema, or another kind of log?",
        )


def _parsed(path: Path, tables: OcelTables) -> Any:
    content = bytearray()
    for chunk in unpacked(path):
        content += chunk
        if len(content) > MAX_BYTES:
            raise LogFormatError(
                f"{path} has more than {MAX_BYTES:,} bytes of JSON, which do not fit into memory.",
                hint="Export the log as OCEL 2.0 SQLite or XML.",
            )

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            tables.found.counts["repeated"] += len(pairs) - len(found)
            keys = [key for key, _ in pairs]
            again = next(key for key in keys if keys.count(key) > 1)
            tables.found.examples.setdefault("repeated", again)
        return found

    try:
        return json.loads(content, object_pairs_hook=members, parse_constant=_unknown)
    except RecursionError as error:
        raise LogFormatError(
            f"{path} nests too deep.", hint="The file is damaged or meant to do harm."
        ) from error
    except ValueError as error:
        raise LogFormatError(
            f"{path} is not JSON: {error}.", hint="It is cut off or damaged; export it again."
        ) from error


def _unknown(constant: str) -> str | None:
    """NaN is how some tools write that they do not know."""
    return None if constant == "NaN" else constant


def _read_second_version(content: dict[str, Any], tables: OcelTables) -> None:
    for event in _dicts(content["events"]):
        tables.add_event(
            event.get("id"),
            event.get("type"),
            event.get("time"),
            {str(a.get("name")): a.get("value") for a in _dicts(event.get("attributes"))},
            [(r.get("objectId"), r.get("qualifier")) for r in _dicts(event.get("relationships"))],
        )
    for item in _dicts(content.get("objects")):
        tables.add_object(item.get("id"), item.get("type"))
        for value in _dicts(item.get("attributes")):
            tables.add_value(
                item.get("id"), value.get("name"), value.get("time"), value.get("value")
            )
    for kind, used in (("eventTypes", "events"), ("objectTypes", "objects")):
        declared = {declaration.get("name") for declaration in _dicts(content.get(kind))}
        types = {record.get("type") for record in _dicts(content.get(used))}
        tables.undeclared |= {str(name) for name in types - declared if name is not None}


def _read_first_version(content: dict[str, Any], tables: OcelTables) -> None:
    for event_id, event in _items(content["ocel:events"]):
        objects = event.get("ocel:omap")
        tables.add_event(
            event_id,
            event.get("ocel:activity"),
            event.get("ocel:timestamp"),
            _dict(event.get("ocel:vmap")),
            [(object_id, None) for object_id in objects] if isinstance(objects, list) else [],
        )
    declared = _dict(content.get("ocel:global-log")).get("ocel:object-types")
    for object_id, item in _items(content.get("ocel:objects")):
        tables.add_object(object_id, item.get("ocel:type"))
        if isinstance(declared, list) and item.get("ocel:type") not in declared:
            tables.undeclared.add(str(item.get("ocel:type")))
        for name, value in _dict(item.get("ocel:ovmap")).items():
            tables.add_value(object_id, name, None, value)


def _dicts(records: Any) -> Iterable[dict[str, Any]]:
    """The records; one that is no object is kept, so that it is rejected and not lost."""
    for record in records if isinstance(records, list) else []:
        yield record if isinstance(record, dict) else {}


def _items(records: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    for key, record in _dict(records).items():
        yield key, _dict(record)


def _dict(record: Any) -> dict[str, Any]:
    return record if isinstance(record, dict) else {}
