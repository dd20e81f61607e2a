"""Every exception, from the model and from the rules alike, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from miner.conformance.allowances import allowances
from miner.conformance.deviations import CASE_DEVIATIONS, deviations
from miner.conformance.held import Held
from miner.conformance.rules.evaluation import violations
from miner.conformance.rules.rule import Rule, Rules
from miner.conformance.sentences import sentence
from miner.eventlog.log import EventLog

PAGE = 50_000
EXCEPTIONS = pl.Schema(
    {
        name: CASE_DEVIATIONS.get(name, pl.String())
        for name in (
            "case_id", "number", "kind", "activity", "instead", "expected_after", "rule",
            "severity", "resource", "timestamp", "version", "added_time", "allowed", "element_id",
            "sentence",
        )
    }
)  # fmt: skip
_CASES = pl.Schema({"case_id": pl.String()})


@dataclass
class Counts:
    """How many exceptions there were, by rule; null is the model."""

    found: dict[str | None, int] = field(default_factory=dict)
    allowed: dict[str | None, int] = field(default_factory=dict)
    """Those of them that are on the allow-list."""

    def add(self, rule: str | None, page: pl.DataFrame) -> None:
        """Count a page of exceptions."""
        self.found[rule] = self.found.get(rule, 0) + page.height
        self.allowed[rule] = self.allowed.get(rule, 0) + int(page["allowed"].sum())

    @property
    def all_found(self) -> int:
        """All exceptions."""
        return sum(self.found.values())

    @property
    def all_allowed(self) -> int:
        """All that are on the allow-list."""
        return sum(self.allowed.values())


def exceptions(held: Held, rules: Rules | None, counts: Counts) -> Iterator[pl.DataFrame]:
    """The deviations from the model, then what broke each rule; `EXCEPTIONS` in pieces.

    Those of the model are in the order of `deviations`, those of a rule in the order of
    `violations`. `allowed` says whether one is on the allow-list now. What goes by is counted in
    `counts`.
    """
    for page in _pages(partial(deviations, held)):
        shown = _worded(page.with_columns(severity=pl.lit(None, pl.String)))
        counts.add(None, shown)
        yield shown
    in_force = allowances(held.log).filter("in_force")
    for rule in rules or ():
        counts.found[rule.name] = counts.allowed[rule.name] = 0
        allowed = _allowed(held.log, rule, in_force)
        for page in _pages(partial(violations, held.log, rule)):
            absent = [pl.lit(None, pl.String).alias(name) for name in ("instead", "element_id")]
            severity = pl.lit(rule.severity).alias("severity")
            shown = _worded(page.with_columns(*absent, severity, allowed.alias("allowed")))
            counts.add(rule.name, shown)
            yield shown


def _pages(query: Callable[..., pl.DataFrame]) -> Iterator[pl.DataFrame]:
    offset = 0
    while (page := query(limit=PAGE, offset=offset)).height:
        yield page
        offset += PAGE
        if page.height < PAGE:
            return


def _worded(page: pl.DataFrame) -> pl.DataFrame:
    said = [sentence(row) for row in page.iter_rows(named=True)]
    worded = page.with_columns(pl.Series("sentence", said, dtype=pl.String()))
    return worded.select(EXCEPTIONS.names()).cast(EXCEPTIONS)


def _allowed(log: EventLog, rule: Rule, in_force: pl.DataFrame) -> pl.Expr:
    """Whether a violation of `rule` is on the allow-list; what is null there narrows nothing."""
    found = pl.lit(False)
    for each in in_force.iter_rows(named=True):
        if each["rule"] not in (None, rule.name):
            continue
        matches = pl.lit(True)
        for name in ("kind", "activity", "version"):
            if each[name] is not None:
                matches &= pl.col(name).cast(pl.String).eq_missing(pl.lit(each[name]))
        if each["attribute"] is not None:
            cases = log.query(
                _WITH_ATTRIBUTE, _CASES, key=each["attribute"], value=each["attribute_value"]
            )
            matches &= pl.col("case_id").is_in(cases["case_id"].implode())
        found |= matches
    return found


_WITH_ATTRIBUTE = """
select case_id
from case_identity
where attributes is not null and (attributes::json ->> $key) = $value
order by case_id
"""
