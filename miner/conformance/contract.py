"""Process contracts: what a process promises, in a file that a pipeline can hold it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from miner.conformance.rules.calendar import Calendar
from miner.conformance.rules.calendar_parsing import calendar_of
from miner.conformance.rules.document import Value, document
from miner.conformance.rules.parsing import file_text, read_rules, rules_from
from miner.conformance.rules.rule import Rules
from miner.errors import InputError, UnknownNameError
from miner.eventlog.filter_values import seconds_of
from miner.eventlog.filters import KINDS, Condition, LogFilter

KEYS = (
    "process", "filters", "at_least_cases", "undecided", "budgets", "calendar", "rules", "allowed",
    "baseline",
)  # fmt: skip
UNDECIDED = ("fail", "pass")


@dataclass(frozen=True)
class Measure:
    """A figure that a budget may be set for."""

    unit: str
    """seconds, share, count or per_day."""
    at_most: bool
    """Whether less is better."""


MEASURES: Mapping[str, Measure] = {
    "median_cycle_time_at_most": Measure("seconds", True),
    "p95_cycle_time_at_most": Measure("seconds", True),
    "p99_cycle_time_at_most": Measure("seconds", True),
    "failure_rate_at_most": Measure("share", True),
    "retry_rate_at_most": Measure("share", True),
    "rework_rate_at_most": Measure("share", True),
    "open_cases_at_most": Measure("count", True),
    "first_pass_yield_at_least": Measure("share", False),
    "throughput_per_day_at_least": Measure("per_day", False),
    "fitness_at_least": Measure("share", False),
    "conformance_rate_at_least": Measure("share", False),
}
"""The budgets that a contract may hold, by name."""

RULE_BUDGETS: Mapping[str, Measure] = {
    "violations_at_most": Measure("count", True),
    "violation_rate_at_most": Measure("share", True),
}
"""What a contract may allow of a rule; without a word on it no violation."""


@dataclass(frozen=True)
class Budget:
    """The most, or the least, that a figure may be."""

    name: str
    limit: float
    measure: Measure
    line: int = 0

    @property
    def figure(self) -> str:
        """The name of what is held to it."""
        return self.name.removesuffix("_at_most").removesuffix("_at_least")


@dataclass(frozen=True)
class Contract:
    """What a process promises."""

    name: str
    process: str
    condition: LogFilter
    at_least_cases: int
    """Below it a share or a percentile is not judged."""
    undecided_passes: bool
    budgets: tuple[Budget, ...]
    rules: Rules
    allowed: Mapping[str, tuple[Budget, ...]]
    """Budgets by name of rule."""
    baseline: Path | None = None
    """The result of an earlier run, to compare with."""


def read_contract(path: Path) -> Contract:
    """The contract in a file; files that it names are looked for beside it.

    Raises ModelError with the line for a key that is not known (and the nearest that is), a budget
    or filter that cannot be read, and a rule that is not there.
    """
    whole = document(file_text(path), path.name)
    entries = whole.entries(KEYS)
    if not entries.keys() & {"budgets", "rules"}:
        raise whole.error("the contract has neither budgets nor rules.", hint="Add `rules:`.")
    rules = _rules(entries, path.parent)
    least = entries.get("at_least_cases")
    undecided = entries.get("undecided")
    baseline = entries.get("baseline")
    return Contract(
        name=path.stem,
        process=whole.need("process").text(),
        condition=_filters(entries.get("filters")),
        at_least_cases=least.whole(least=1) if least else 1,
        undecided_passes=bool(undecided and undecided.one_of(UNDECIDED) == "pass"),
        budgets=_budgets(entries["budgets"], MEASURES) if "budgets" in entries else (),
        rules=rules,
        allowed=_allowed(entries.get("allowed"), rules),
        baseline=path.parent / baseline.text() if baseline else None,
    )


def _rules(entries: Mapping[str, Value], folder: Path) -> Rules:
    listed = entries.get("rules")
    calendar: Calendar = calendar_of(entries.get("calendar"))
    if listed is None:
        return Rules("", ())
    if listed.is_list:
        return rules_from(listed, calendar)
    if "calendar" in entries:
        raise entries["calendar"].error(
            "the rules are in a file of their own.", hint="Put the calendar there."
        )
    return read_rules(folder / listed.text())


def _filters(value: Value | None) -> LogFilter:
    """Filters by the names of their flags; `not` before a name inverts it."""
    if value is None:
        return LogFilter()
    found = []
    for each in value.items():
        for key, entry in each.entries().items():
            kind = key.removeprefix("not ").strip()
            if kind not in KINDS:
                problem = UnknownNameError("filter", kind, KINDS)
                raise entry.error(problem.message, hint=problem.hint)
            try:
                found.append(Condition(kind, entry.text(), key.startswith("not ")))
            except InputError as error:
                raise entry.error(f"{key}: {error.message}", hint=error.hint) from None
    return LogFilter(tuple(found))


def _budgets(value: Value, known: Mapping[str, Measure]) -> tuple[Budget, ...]:
    return tuple(
        Budget(name, _limit(each, known[name]), known[name], each.line)
        for name, each in value.entries(known).items()
    )


def _limit(value: Value, measure: Measure) -> float:
    text = value.text()
    try:
        limit = seconds_of(text) if measure.unit == "seconds" else float(text)
    except InputError as error:
        raise value.error(f"{value.key}: {error.message}", hint=error.hint) from None
    except ValueError:
        raise value.error(f"{value.key} is {text!r}.", hint="Give a number.") from None
    most = 1 if measure.unit == "share" else float("inf")
    if not 0 <= limit <= most or limit == float("inf"):
        wanted = "from 0 to 1, such as 0.05" if measure.unit == "share" else "from 0"
        raise value.error(f"{value.key} is {text!r}.", hint=f"Give a number {wanted}.")
    return limit


def _allowed(value: Value | None, rules: Rules) -> dict[str, tuple[Budget, ...]]:
    if value is None:
        return {}
    found = {}
    names = [rule.name for rule in rules]
    for name, each in value.entries().items():
        if name not in names:
            problem = UnknownNameError("rule", name, names)
            raise each.error(problem.message, hint=problem.hint)
        found[name] = _budgets(each, RULE_BUDGETS)
    return found
