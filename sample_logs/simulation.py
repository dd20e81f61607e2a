"""A small discrete event simulation: cases compete for people and machines.

Instants and durations are whole milliseconds (instants since 1970 in UTC), because integers give
the same bytes on every machine. A case is a generator that yields the instants at which it wants
to go on and returns the instant it ended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from heapq import heapify, heappop, heappush
from random import Random
from zoneinfo import ZoneInfo

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

BERLIN = ZoneInfo("Europe/Berlin")
FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 12, 31)
HOLIDAYS = frozenset(
    {
        date(2026, 1, 1),
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 14),
        date(2026, 5, 25),
    }
)
"""Public holidays of all German states in the first half of 2026."""

NOT_STARTED_BEFORE_CLOSING = 2 * HOUR
"""Work shorter than this waits for the morning when it does not fit into the rest of the day."""

Flow = Generator[int, None, int]
Piece = tuple[int, int]


def instant(moment: datetime) -> int:
    """The milliseconds since 1970 of an aware `moment`."""
    return int(moment.timestamp()) * SECOND + moment.microsecond // 1_000


def moment(at: int, zone: ZoneInfo | None = None) -> datetime:
    """The aware datetime of the instant `at`, in UTC unless a `zone` is given."""
    return datetime.fromtimestamp(at // SECOND, zone or UTC) + timedelta(milliseconds=at % SECOND)


def days(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


class WorkingHours:
    """When people work: on `weekdays` (Monday is 0) from `opens` to `closes` o'clock in `zone`."""

    def __init__(
        self,
        *,
        zone: ZoneInfo = BERLIN,
        weekdays: Sequence[int] = (0, 1, 2, 3, 4),
        opens: int = 9,
        closes: int = 17,
    ) -> None:
        worked = [
            day
            for day in days(FIRST_DAY, LAST_DAY)
            if day.weekday() in weekdays and day not in HOLIDAYS
        ]
        self._opens = [instant(datetime.combine(day, time(opens), zone)) for day in worked]
        self._closes = [instant(datetime.combine(day, time(closes), zone)) for day in worked]

    def pieces(self, ready: int, duration: int) -> tuple[Piece, ...]:
        """The stretches of time in which `duration` of work is done that is ready at `ready`."""
        day = bisect_right(self._closes, ready)
        start = max(ready, self._opens[day])
        if duration > self._closes[day] - start and duration < NOT_STARTED_BEFORE_CLOSING:
            day += 1
            start = self._opens[day]
        pieces: list[Piece] = []
        while True:
            end = min(start + duration, self._closes[day])
            pieces.append((start, end))
            duration -= end - start
            if duration == 0:
                return tuple(pieces)
            day += 1
            start = self._opens[day]


@dataclass
class Member:
    """A person or machine of a pool; `pace` multiplies the time an activity takes them."""

    name: str
    pace: Mapping[str, float] = field(default_factory=dict)
    free_at: int = 0


@dataclass(frozen=True)
class Pool:
    """People or machines that share one queue, first come, first served."""

    kind: str
    members: Sequence[Member]
    hours: WorkingHours | None = None

    def choose(self, ready: int, rng: Random) -> Member:
        """Whoever is free at `ready`, by chance; else whoever is free first."""
        free = [member for member in self.members if member.free_at <= ready]
        return rng.choice(free) if free else min(self.members, key=lambda each: each.free_at)

    def occupy(self, member: Member, ready: int, duration: int) -> tuple[Piece, ...]:
        """Book `member` for `duration`, as early as their queue and working hours allow."""
        ready = max(ready, member.free_at)
        pieces = self.hours.pieces(ready, duration) if self.hours else ((ready, ready + duration),)
        member.free_at = pieces[-1][1]
        return pieces


def people(*names: str, hours: WorkingHours | None = None, **pace: Mapping[str, float]) -> Pool:
    """A pool of people with working hours; `pace` gives the slow ones by first name."""
    members = [Member(name, pace.get(name.split()[0], {})) for name in names]
    return Pool("human", members, hours or WorkingHours())


def machines(*names: str) -> Pool:
    """A pool of machines, at work day and night."""
    return Pool("system", [Member(name) for name in names])


@dataclass(frozen=True)
class Job:
    """How an activity is done: by whom, and for how long (lognormal, `median` in milliseconds)."""

    pool: Pool
    median: int
    spread: float = 0.45


@dataclass(frozen=True)
class Execution:
    """One activity instance; more than one piece when the working day ended in between."""

    case_id: str
    activity: str
    ready_at: int
    pieces: tuple[Piece, ...]
    resource: str
    resource_kind: str

    @property
    def started_at(self) -> int:
        """When the work began."""
        return self.pieces[0][0]

    @property
    def completed_at(self) -> int:
        """When the work was done."""
        return self.pieces[-1][1]


@dataclass
class Simulation:
    """Who did what and when, written down while the cases run."""

    rng: Random
    jobs: Mapping[str, Job]
    grain: int = SECOND
    executions: list[Execution] = field(default_factory=list)

    def duration(self, median: float, spread: float) -> int:
        """A lognormal duration in whole grains, at least one."""
        drawn = median * self.rng.lognormvariate(0.0, spread)
        return max(self.grain, round(drawn / self.grain) * self.grain)

    def perform(self, case_id: str, activity: str, now: int) -> Flow:
        """Do `activity` for a case that is ready for it `now`; returns when it is completed."""
        job = self.jobs[activity]
        member = job.pool.choose(now, self.rng)
        duration = self.duration(job.median * member.pace.get(activity, 1.0), job.spread)
        pieces = job.pool.occupy(member, now, duration)
        done = Execution(case_id, activity, now, pieces, member.name, job.pool.kind)
        self.executions.append(done)
        yield done.completed_at
        return done.completed_at

    def perform_all(self, case_id: str, activities: Iterable[str], now: int) -> Flow:
        """Do `activities` one after the other; returns when the last is completed."""
        for activity in activities:
            now = yield from self.perform(case_id, activity, now)
        return now

    def chance(self, share: float) -> bool:
        """True in `share` of all calls."""
        return self.rng.random() < share


def parallel(now: int, *flows: Flow) -> Flow:
    """Run `flows` side by side; returns when the last of them has ended."""
    waiting = [(now, order, flow) for order, flow in enumerate(flows)]
    last = now
    while waiting:
        at, order, flow = heappop(waiting)
        yield at
        try:
            heappush(waiting, (next(flow), order, flow))
        except StopIteration as ended:
            last = max(last, ended.value)
    return last


def run(cases: Iterable[tuple[int, Flow]]) -> None:
    """Run all cases, each from its own first instant, always the earliest next."""
    waiting = [(start, order, flow) for order, (start, flow) in enumerate(cases)]
    heapify(waiting)
    while waiting:
        _, order, flow = heappop(waiting)
        wake = next(flow, None)
        if wake is not None:
            heappush(waiting, (wake, order, flow))


def arrivals(
    rng: Random,
    number: int,
    on: Sequence[date],
    *,
    weight: Callable[[date], float],
    hours: tuple[float, float, float],
    grain: int = SECOND,
) -> list[int]:
    """`number` instants in order, on days drawn by `weight`.

    The time of day, in Europe/Berlin, is triangular over `hours`: earliest, most likely, latest.
    """
    drawn = rng.choices(on, [weight(day) for day in on], k=number)
    earliest, likely, latest = hours
    found = []
    for day in drawn:
        seconds = int(rng.triangular(earliest, latest, likely) * 3600)
        midnight = datetime.combine(day, time(), BERLIN)
        at = instant(midnight + timedelta(seconds=seconds))
        found.append(at // grain * grain)
    return sorted(found)
