"""Which cases keep to the rules: one SELECT per rule over all its cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import polars as pl

from miner.conformance.deviation import DEVIATION
from miner.conformance.rules.calendar import Calendar, working
from miner.conformance.rules.rule import Rule
from miner.conformance.rules.templates import judged, parameters
from miner.eventlog.log import EventLog

RULE_RESULTS = pl.Schema(
    {
        "rule": pl.String(),
        "text": pl.String(),
        "template": pl.String(),
        "severity": pl.String(),
        "cases": pl.Int64(),
        "activations": pl.Int64(),
        "judged_cases": pl.Int64(),
        "violating_cases": pl.Int64(),
        "violations": pl.Int64(),
        "violation_rate": pl.Float64(),
        "pending": pl.Int64(),
        "not_judged": pl.Int64(),
    }
)


@dataclass(frozen=True)
class RuleResult:
    """What one rule found."""

    rule: str
    text: str
    template: str
    severity: str
    cases: int
    """Cases in which there was an occasion to keep or break it."""
    activations: int
    """Those occasions: kept, broken, pending or not judged."""
    judged_cases: int
    """Cases with an occasion on which it was kept or broken: the n of the rate."""
    violating_cases: int
    violations: int
    violation_rate: float | None
    """Violating cases / judged cases; null without any."""
    pending: int
    """Occasions in open cases on which it may still be kept; no violations."""
    not_judged: int
    """Occasions on which the log does not say what it takes to judge; no violations."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleResults:
    """What the rules found, in their order."""

    results: tuple[RuleResult, ...]

    def frame(self) -> pl.DataFrame:
        """Returns `RULE_RESULTS`, one row per rule in the order of the rules."""
        rows = [tuple(getattr(each, name) for name in RULE_RESULTS) for each in self.results]
        return pl.DataFrame(rows, schema=RULE_RESULTS, orient="row")


def evaluate(log: EventLog, rules: Iterable[Rule]) -> RuleResults:
    """How often each rule was kept, broken, is pending in an open case, or cannot be judged.

    Only completed activity instances count as done, in the order of the case. An occasion is an
    instance that a rule asks something of (`first` of a response, `then` of a precedence), or the
    case where it asks for something in the case. An activity that the log does not have is a note.

    Returns one result per rule. An empty log gives counts of zero and null rates.

    Source: DECLARE (van der Aalst, Pesic, Schonenberg 2009) for the templates on order and
    existence, where the last instance of an open case is pending instead of a violation.
    """
    known = set(log.query("select activity from activity", pl.Schema({"activity": pl.String()}))
                ["activity"])  # fmt: skip
    return RuleResults(tuple(_result(log, rule, known) for rule in rules))


def violations(
    log: EventLog, rule: Rule, *, limit: int | None = 100, offset: int = 0
) -> pl.DataFrame:
    """A page of what broke `rule`; all of it with `limit=None`.

    Returns `DEVIATION`, by case and instance. `number`, `resource` and `timestamp` are null where
    something is missing that should have been done. `added_time` counts business time where the
    limit of the rule does.
    """
    return log.query(
        f"{_steps(rule)}{_PAGE}",
        DEVIATION,
        rule=rule.name,
        limit=limit,
        offset=offset,
        **_parameters(log, rule),
    )


_PAGE = """,
page as (
    select j.case_key, i.case_id, j.number, j.kind, j.activity, j.expected_after,
        j.resource_key, j.at, j.added_time
    from settled as j
    join case_identity as i using (case_key)
    where j.outcome = 'broken'
    order by i.case_id, j.number nulls last, j.activity, j.kind, j.added_time
    limit $limit
    offset $offset
)
select
    p.case_id,
    p.number,
    p.kind,
    p.activity,
    p.expected_after,
    $rule as rule,
    r.resource,
    p.at as timestamp,
    v.process_version as version,
    case
        when p.kind in ('extra', 'repeated')
            then epoch_us(p.at) - epoch_us(before.completed_at)
        else p.added_time
    end as added_time
from page as p
join "case" as c using (case_key)
left join activity_instance as before
    on before.case_key = p.case_key and before.number = p.number - 1
left join resource as r on r.resource_key = p.resource_key
left join process_version as v on v.version_key = c.version_key
order by p.case_id, p.number nulls last, p.activity, p.kind, p.added_time
"""


def _result(log: EventLog, rule: Rule, known: set[str]) -> RuleResult:
    row = log.row(f"{_steps(rule)}{_COUNTED}", **_parameters(log, rule))
    notes = tuple(_note(name, known) for name in rule.activities if name not in known)
    return RuleResult(rule.name, rule.text, rule.template, rule.severity, **row, notes=notes)


def _note(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"The log has no activity {name!r}" + (f"; did you mean {near[0]!r}?" if near else ".")


_COUNTED = """,
counted_case as (
    select
        count(*) as activations,
        count(*) filter (where outcome = 'broken') as violations,
        count(*) filter (where outcome = 'kept') as kept,
        count(*) filter (where outcome = 'pending') as pending,
        count(*) filter (where outcome = 'unknown') as not_judged
    from settled
    group by case_key
)
select
    count(*) as cases,
    coalesce(sum(activations), 0)::bigint as activations,
    count(*) filter (where violations + kept > 0) as judged_cases,
    count(*) filter (where violations > 0) as violating_cases,
    coalesce(sum(violations), 0)::bigint as violations,
    violating_cases / nullif(judged_cases, 0) as violation_rate,
    coalesce(sum(pending), 0)::bigint as pending,
    coalesce(sum(not_judged), 0)::bigint as not_judged
from counted_case
"""


def _steps(rule: Rule) -> str:
    """The WITH clause that ends in `settled`: what the rule judged, where it applies."""
    # Where it is not known whether a rule applies, nothing is known of its being kept.
    outcome = "case when s.applies then j.outcome else 'unknown' end"
    settled = (
        f"select j.* replace ({outcome} as outcome) "
        "from judged as j join scope as s using (case_key)"
        if _is_narrowed(rule)
        else "from judged"
    )
    return f"""
with {_scope(rule)},
{_done(rule)},
{judged(rule)},
settled as ({settled})"""


def _is_narrowed(rule: Rule) -> bool:
    return bool(rule.when or rule.versions)


def _scope(rule: Rule) -> str:
    """The cases that the rule applies to, or may apply to."""
    applies = f"try(({rule.when.sql})::boolean)" if rule.when else "true"
    versions = "list_contains($versions::varchar[], v.process_version)" if rule.versions else "true"
    joins = """join case_identity as i using (case_key)
        left join process_version as v using (version_key)"""
    return f"""
scope as (
    select case_key, is_open, applies
    from (
        select c.case_key, c.status = 'running' as is_open, {applies} as applies
        from "case" as c
        {joins if _is_narrowed(rule) else ""}
        where {versions}
    )
    where applies is distinct from false
)"""


def _done(rule: Rule) -> str:
    """The completed instances of the rule's activities.

    A chain needs to know what of its activities is still to be completed, too.
    """
    chain = rule.mode == "chain"
    statuses = "('completed', 'running', 'scheduled')" if chain else "('completed')"
    scoped = "semi join scope using (case_key)" if _is_narrowed(rule) else ""
    return f"""
named as (
    select activity_key, activity
    from activity
    where list_contains($names::varchar[], activity)
),
done as (
    select
        i.case_key,
        i.number,
        i.activity_key,
        n.activity,
        i.next_activity_key,
        i.resource_key,
        i.started_at,
        i.completed_at,
        n.activity = $names[1] as is_first,
        n.activity = $names[2] as is_then,
        i.status = 'completed' as is_done
    from activity_instance as i
    join named as n using (activity_key)
    {scoped}
    where i.status in {statuses}
)"""


def _parameters(log: EventLog, rule: Rule) -> dict[str, Any]:
    found = parameters(rule) | {"names": list(rule.activities)}
    if rule.versions:
        found["versions"] = list(rule.versions)
    limits = (rule.at_most, rule.at_least)
    if any(limit and limit.business for limit in limits):
        found |= _working_time(log, rule.calendar or Calendar())
    return found


def _working_time(log: EventLog, calendar: Calendar) -> dict[str, Any]:
    span = log.row('select min(started_at) as first, max(completed_at) as last from "case"')
    some = datetime(2000, 1, 1)
    laid = working(calendar, span["first"] or some, span["last"] or some)
    return {"opens": list(laid.opens), "closes": list(laid.closes), "worked": list(laid.worked)}
