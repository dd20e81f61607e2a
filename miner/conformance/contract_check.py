"""Holding a process to its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from miner.conformance.contract import RULE_BUDGETS, Budget, Contract
from miner.conformance.rules.evaluation import RuleResult, evaluate
from miner.eventlog.log import EventLog


@dataclass(frozen=True)
class Figure:
    """A figure with the number of cases it was taken over; null: the log does not say."""

    value: float | None
    cases: int


@dataclass(frozen=True)
class Check:
    """One budget of a contract, or what it allows of one rule."""

    name: str
    subject: str
    """`process`, or the severity of the rule."""
    outcome: str
    """passed, failed, undecided, or noted: broken by a rule that is no error."""
    value: float | None
    limit: float
    unit: str
    at_most: bool
    cases: int
    """What the value was taken over."""
    message: str


@dataclass(frozen=True)
class CheckResult:
    """What a process made of its contract."""

    contract: str
    process: str
    outcome: str
    """passed or failed; an undecided check fails unless the contract says otherwise."""
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()


Supplier = Callable[[EventLog], Mapping[str, Figure]]


def performance_figures(log: EventLog) -> dict[str, Figure]:
    """The figures of `summary`, each with the cases of its definition; durations in seconds."""
    from miner.performance.summary import summary

    found = summary(log)
    closed, cases = found.closed_cases, found.cases
    return {
        "median_cycle_time": Figure(_seconds(found.median_cycle_time), closed),
        "p95_cycle_time": Figure(_seconds(found.p95_cycle_time), closed),
        "p99_cycle_time": Figure(_seconds(found.p99_cycle_time), closed),
        "failure_rate": Figure(found.failure_rate, closed),
        "retry_rate": Figure(found.retry_rate, cases),
        "rework_rate": Figure(found.rework_rate, cases),
        "open_cases": Figure(found.open_cases, cases),
        "first_pass_yield": Figure(found.first_pass_yield, closed),
        "throughput_per_day": Figure(found.throughput_per_day, closed),
    }


def conformance_figures(log: EventLog) -> dict[str, Figure]:
    """The figures of `conform`: closed cases against the version that each ran on.

    Raises InputError for a process without a modelled workflow.
    """
    from miner.conformance.conform import conform
    from miner.conformance.workflows import own_versions

    found = conform(log, own_versions(log))
    aligned = found.cases - found.unaligned_cases
    return {
        "fitness": Figure(found.fitness, aligned),
        "conformance_rate": Figure(found.conformance_rate, aligned),
    }


_OF_SUMMARY = (
    *("median_cycle_time", "p95_cycle_time", "p99_cycle_time", "failure_rate", "retry_rate"),
    *("rework_rate", "open_cases", "first_pass_yield", "throughput_per_day"),
)
SUPPLIERS: dict[str, Supplier] = {
    **dict.fromkeys(_OF_SUMMARY, performance_figures),
    "fitness": conformance_figures,
    "conformance_rate": conformance_figures,
}
"""Where the figure of a budget comes from; each supplier is asked once per check."""


def check(
    contract: Contract, log: EventLog, suppliers: Mapping[str, Supplier] | None = None
) -> CheckResult:
    """Hold `log`, which is narrowed by the filters of `contract`, to its budgets and rules.

    A share, a percentile or a rate over fewer cases than the contract asks for is undecided, and so
    is one that the log does not give; counts of violations above what is allowed fail at any
    number. A rule without an allowance may not be violated at all.

    Returns one check per budget, then per rule and what is allowed of it, in their order.
    """
    figures = _Figures(log, SUPPLIERS | dict(suppliers or {}))
    checks = [_budget_check(contract, budget, figures) for budget in contract.budgets]
    notes: list[str] = []
    none = (Budget("violations_at_most", 0, RULE_BUDGETS["violations_at_most"]),)
    for rule, result in zip(contract.rules, evaluate(log, contract.rules).results, strict=True):
        notes += [f"{rule.name}: {note}" for note in result.notes]
        allowed = contract.allowed.get(rule.name, none)
        checks += [_rule_check(contract, budget, result) for budget in allowed]
    bad = {"failed"} if contract.undecided_passes else {"failed", "undecided"}
    failed = any(each.outcome in bad for each in checks)
    outcome = "failed" if failed else "passed"
    return CheckResult(contract.name, contract.process, outcome, tuple(checks), tuple(notes))


@dataclass
class _Figures:
    """Figures as they are asked for."""

    log: EventLog
    suppliers: Mapping[str, Supplier]
    known: dict[str, Figure] = field(default_factory=dict)

    def of(self, budget: Budget) -> Figure:
        if budget.figure not in self.known:
            self.known |= self.suppliers[budget.figure](self.log)
        return self.known[budget.figure]


def _budget_check(contract: Contract, budget: Budget, figures: _Figures) -> Check:
    figure = figures.of(budget)
    name = budget.figure.replace("_", " ")
    least = 0 if budget.measure.unit == "count" else contract.at_least_cases
    outcome, message = _judged(budget, figure, least, name)
    return _check(name, "process", outcome, figure, budget, message)


def _rule_check(contract: Contract, budget: Budget, result: RuleResult) -> Check:
    is_count = budget.measure.unit == "count"
    value = result.violations if is_count else result.violation_rate
    figure = Figure(value, result.judged_cases)
    kind = "" if is_count else " (rate)"
    if is_count and result.violations > budget.limit:
        outcome, message = "failed", _broken(budget, result)
    else:
        outcome, message = _judged(budget, figure, contract.at_least_cases, "violation rate")
        message = _broken(budget, result) if outcome == "failed" else message
    if outcome != "passed" and result.severity != "error":
        outcome = "noted"
    if outcome == "passed" and result.not_judged:
        message = f"{result.not_judged:,} could not be judged"
    name = f"rule {result.rule}{kind}"
    return _check(name, result.severity, outcome, figure, budget, message)


def _broken(budget: Budget, result: RuleResult) -> str:
    allowed = shown(budget.limit, budget.measure.unit)
    return (
        f"{result.text} Violated {result.violations:,} times in {result.violating_cases:,} of "
        f"{result.judged_cases:,} cases; allowed: {allowed}."
    )


def _judged(budget: Budget, figure: Figure, least: int, name: str) -> tuple[str, str]:
    if figure.cases < least:
        return "undecided", f"Not enough cases: {figure.cases:,} of at least {least:,}."
    if figure.value is None:
        return "undecided", f"The log does not say what the {name} is."
    at_most = budget.measure.at_most
    fits = figure.value <= budget.limit if at_most else figure.value >= budget.limit
    if fits:
        return "passed", ""
    side = "above" if at_most else "below"
    unit = budget.measure.unit
    found, limit = shown(figure.value, unit), shown(budget.limit, unit)
    return "failed", f"{name.capitalize()} is {found}, {side} {limit}."


def _check(
    name: str, subject: str, outcome: str, figure: Figure, budget: Budget, message: str
) -> Check:
    measure = budget.measure
    return Check(
        name, subject, outcome, figure.value, budget.limit, measure.unit, measure.at_most,
        figure.cases, message,
    )  # fmt: skip


def shown(value: float | None, unit: str) -> str:
    """A figure of a check as people read it."""
    from miner.drawing.words import UNKNOWN, spoken

    if value is None:
        return UNKNOWN
    if unit == "seconds":
        return spoken(timedelta(seconds=value))
    if unit == "share":
        return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
