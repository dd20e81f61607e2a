"""A message of RabbitMQ as a line of a page."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.messages import message_line, readable

if TYPE_CHECKING:
    from pika import BasicProperties
    from pika.spec import Basic

PROPERTIES = (
    "content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to",
    "expiration", "message_id", "timestamp", "type", "user_id", "app_id",
)  # fmt: skip
"""What a message says of itself besides its headers."""
OFFSET = "x-stream-offset"
OURS = (OFFSET, "x-delivery-count")
"""Headers about this reading, which are other ones each time the message is delivered."""
DIGEST = "sha256:"
"""What ids begin with that were made from the content."""
_MILLISECONDS = 10**11
"""Times beyond are no seconds: those would be in the year 5138."""


def line_of(
    method: Basic.Deliver, properties: BasicProperties, body: bytes, stream: str = ""
) -> tuple[bytes, int | None]:
    """The message as a line, and its offset if it comes from a stream.

    The properties stand among the headers, and how often it died of what as `died_rejected`,
    `died_expired`, `died_maxlen` and `died_delivery_limit`, the last time as `died_at`. The id is
    the message's own, with the number of its deaths if there were any, else its place in the
    `stream` it comes from, else a digest of all that it says.
    """
    exchange, routing_key = method.exchange, method.routing_key
    given: dict[str, Any] = dict(properties.headers or {})
    offset = given.get(OFFSET)
    headers = {name: value for name, value in given.items() if name not in OURS}
    deaths = _deaths(given)
    headers |= {f"died_{reason}": count for reason, count in deaths.items()}
    if deaths:
        headers["died_at"] = given["x-death"][0].get("time")  # the latest comes first
    headers |= {
        name: value for name in PROPERTIES if (value := getattr(properties, name, None)) is not None
    }
    text = json.dumps(headers, default=_plain, sort_keys=True)
    milliseconds, timed_by = _time(given, properties.timestamp)
    if properties.message_id:
        # Dead-lettered it comes again with the same id, and says something new.
        died = sum(deaths.values())
        identity = f"{properties.message_id}+{died}" if died else str(properties.message_id)
    elif offset is not None:
        identity = f"{stream}:{int(offset)}"
    else:
        digest = hashlib.sha256("\0".join((exchange, routing_key, text, "")).encode())
        digest.update(body)
        identity = f"{DIGEST}{digest.hexdigest()[:32]}"
    fields: dict[str, Any] = {
        "id": identity,
        "topic": exchange,
        "offset": None if offset is None else int(offset),
        "milliseconds": milliseconds,
        "timed_by": timed_by,
        "key": routing_key,
        "headers": text,
    }
    return message_line(fields, body), None if offset is None else int(offset)


def _deaths(headers: dict[str, Any]) -> dict[str, int]:
    """How often the message was dead-lettered, by reason."""
    found: dict[str, int] = {}
    deaths = headers.get("x-death")
    for death in deaths if isinstance(deaths, list) else ():
        if isinstance(death, dict) and isinstance(death.get("count"), int):
            reason = str(death.get("reason", "unknown"))
            found[reason] = found.get(reason, 0) + int(death["count"])
    return found


def _time(headers: dict[str, Any], seconds: Any) -> tuple[int | None, str | None]:
    """The time of the message in milliseconds, and who says so; null when it has none."""
    exact = headers.get("timestamp_in_ms")  # by the broker, with its plugin for that
    if isinstance(exact, int):
        return int(exact), "broker"
    if not isinstance(seconds, int) or seconds <= 0:
        return None, None
    return (int(seconds), "writer") if seconds > _MILLISECONDS else (int(seconds) * 1000, "seconds")


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return readable(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    if isinstance(value, bytearray | memoryview):
        return base64.b64encode(value).decode()
    return str(value)
