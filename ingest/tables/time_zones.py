"""Local times and the instants they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from miner.errors import InputError, UnknownNameError

CHOICES = ("reject", "earlier", "later")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Stretch:
    """A stretch of local time, up to `until`, in which one rule gives the instant.

    `earlier` and `later` are the offsets that give the earlier and the later instant. They differ
    where clocks are put back (`repeated`: local times mean two instants) and where they are put
    forward (local times mean none: the clock reading before and after the jump are both taken).
    """

    until: datetime
    earlier: timedelta
    later: timedelta
    repeated: bool = False

    @property
    def certain(self) -> bool:
        """Whether a local time means exactly one instant."""
        return self.earlier == self.later


def checked_zone(name: str | None) -> None:
    """InputError unless `name` is None or a time zone of the IANA database."""
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
        raise UnknownNameError("time zone", name, known) from None


def checked_choice(choice: str) -> None:
    """InputError unless `choice` says what becomes of local times that clock changes blur."""
    if choice not in CHOICES:
        raise InputError(
            f"--daylight-saving {choice!r} is not known.", hint=f"Use {', '.join(CHOICES)}."
        )


@lru_cache(maxsize=16)
def stretches(zone: str, first: datetime, last: datetime) -> tuple[Stretch, ...]:
    """The stretches of local time in `zone` that hold the local times from `first` to `last`.

    The last one has no end: its `until` is `datetime.max`.
    """
    place = ZoneInfo(zone)
    found: list[Stretch] = []
    at = (first - 2 * DAY).replace(tzinfo=UTC)
    end = (last + 2 * DAY).replace(tzinfo=UTC)
    offset = _offset(place, at)
    while at < end:
        ahead = at + DAY
        if _offset(place, ahead) != offset:
            change = _change(place, at, ahead)
            new = _offset(place, change)
            local = change.replace(tzinfo=None)
            smaller, larger = sorted((offset, new))
            found.append(Stretch(local + smaller, offset, offset))
            # The larger offset always gives the earlier instant: clocks ahead read a time sooner.
            found.append(Stretch(local + larger, larger, smaller, repeated=new < offset))
            offset = new
        at = ahead
    return (*found, Stretch(datetime.max, offset, offset))


def _offset(place: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(place).utcoffset()
    assert offset is not None
    return offset


def _change(place: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with the new offset, between two instants with different ones."""
    old = _offset(place, before)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle <= before:
            break
        if _offset(place, middle) == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def instant_sql(local: str, rules: Sequence[Stretch], choice: str) -> str:
    """SQL for the UTC instant of the local time `local`; null where `choice` is to reject."""

    def offset(rule: Stretch) -> str:
        if not rule.certain and choice == "reject":
            return "null"
        chosen = rule.later if choice == "later" else rule.earlier
        return str(chosen // timedelta(microseconds=1))

    return f"make_timestamp(epoch_us({local}) - ({_decide(local, rules, offset)})::bigint)"


def trouble_sql(local: str, rules: Sequence[Stretch], zone: str) -> str:
    """SQL for what is wrong with the local time `local`; null where nothing is."""

    def trouble(rule: Stretch) -> str:
        if rule.certain:
            return "null"
        return f"'happens twice in {zone}'" if rule.repeated else f"'does not exist in {zone}'"

    return _decide(local, rules, trouble)


def _decide(local: str, rules: Sequence[Stretch], say: Callable[[Stretch], str]) -> str:
    """A binary search as nested CASE, so that many years cost few comparisons."""
    if len(rules) == 1:
        return say(rules[0])
    middle = len(rules) // 2
    bound = rules[middle - 1].until.isoformat(sep=" ")
    before, after = _decide(local, rules[:middle], say), _decide(local, rules[middle:], say)
    if before == after:
        return before
    return f"case when {local} < timestamp '{bound}' then {before} else {after} end"
