"""What a pack answers, and all that was found out for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from miner.conformance import over_time
from miner.conformance.conform import Conformance, held_versions
from miner.conformance.evidence.exceptions import Counts
from miner.conformance.evidence.models import ModelInPack
from miner.conformance.evidence.population import Population
from miner.conformance.held import Held
from miner.conformance.impact import Impact, causes, impact
from miner.conformance.rules.evaluation import RuleResults
from miner.conformance.rules.rule import Rules
from miner.eventlog.filters import LogFilter


@dataclass(frozen=True)
class Question:
    """What an auditor asks of a process."""

    process: str
    held_against: str
    """Which models cases are held against, in words."""
    condition: LogFilter = field(default_factory=LogFilter)
    rules: Rules | None = None
    title: str | None = None
    sample: int = 0
    """How many cases to draw for looking at them one by one."""
    seed: int = 0

    @property
    def heading(self) -> str:
        """The title, or one made of the process."""
        return self.title or f"Conformance of {self.process}"


@dataclass(frozen=True)
class Made:
    """Who made a pack and when, and the root of the pack of this store before it."""

    at: datetime
    """UTC, naive."""
    by: str
    previous_root: str | None


@dataclass(frozen=True)
class Spread:
    """Where and when cases deviate, at what cost, and what goes with it."""

    versions: pl.DataFrame
    matrix: pl.DataFrame
    weeks: pl.DataFrame
    change: pl.DataFrame
    impact: Impact
    causes: pl.DataFrame

    @classmethod
    def of(cls, held: Held) -> Spread:
        """All of it, of what was held."""
        return cls(
            held_versions(held).with_columns(
                model=pl.col("model").map_elements("{:016x}".format, return_dtype=pl.String)
            ),
            over_time.deviation_matrix(held),
            over_time.conformance_over_time(held),
            over_time.change_of_conformance(held),
            impact(held),
            causes(held),
        )


@dataclass(frozen=True)
class Answer:
    """What was found out."""

    held: Held
    conformance: Conformance
    population: Population
    spread: Spread
    models: tuple[ModelInPack, ...]
    rules: RuleResults
    allowances: pl.DataFrame
    dataset: Mapping[str, Any]
    environment: Mapping[str, Any]
    audit_broken_at: int | None
    """The first line of the audit trail that does not follow from the one before."""
    counts: Counts
    """Of the exceptions that were written until now."""
