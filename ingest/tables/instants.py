"""Instants in options of sources."""

from __future__ import annotations

from datetime import UTC, datetime

from miner.errors import InputError


def instant_of(option: str, text: str) -> datetime | None:
    """The instant that an option names in UTC, without a zone; null for no text.

    Without an offset it is in UTC. InputError for what is no time.
    """
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no time for {option}.",
            hint=f"Give --{option} as 2026-01-31 or 2026-01-31T10:00:00+01:00.",
        ) from None
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
