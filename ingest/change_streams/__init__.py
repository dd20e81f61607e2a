"""Changes of tables as databases log them: one record for each row that was changed.

Whatever the database, a record is a JSON object of the row after the change (before it, if the row
was deleted), with two more fields:

    {"id": 7, "status": "paid",
     "change": {"kind": "update", "at": "2026-01-31T10:00:00.123456Z", "table": "shop.orders",
                "id": "…", "transaction": "…"},
     "previous": {"status": "open"}}

`change.kind` is insert, update or delete; `change.at` is when the transaction was committed (to the
second in MySQL and MariaDB); `change.id` identifies the change for ever. `previous` holds what the
database logs of the row before: all columns, the key alone, or nothing (null).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ingest.mapping import Mapping
from ingest.mapping.values import value_of

AT = "change.at"
ID = "change.id"


@dataclass(frozen=True)
class Changes:
    """Some changes, as the database gave them."""

    raw: bytes
    """JSON lines of records."""
    position: dict[str, Any] | None
    """Where reading goes on after the last whole transaction; None: there was none."""
    confirm: Callable[[], None] | None = None
    """Tells the database that it need not keep what is before that position."""


Stream = Iterator[Changes]


def with_defaults(mapping: Mapping) -> Mapping:
    """The mapping, in which an event has the identity of its change unless it says otherwise."""
    rules = []
    for rule in mapping.rules:
        keys = dict(rule.values)
        if not {"event_id", "event_id_shared"} & keys.keys():
            key = "event_id" if len(mapping.rules) == 1 else "event_id_shared"
            keys[key] = value_of("event_id", ID, mapping.name, 1)
        rules.append(replace(rule, values=tuple(keys.items())))
    return replace(mapping, rules=tuple(rules))
