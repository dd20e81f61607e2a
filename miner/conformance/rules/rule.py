"""A rule: what it asks of which cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from miner.conformance.rules.calendar import Calendar, Limit
from miner.conformance.rules.conditions import Condition
from miner.errors import UnknownNameError

SEVERITIES = ("error", "warning", "info")
MODES = ("plain", "alternate", "chain")
MOMENTS = ("completion", "start")


@dataclass(frozen=True)
class Rule:
    """One rule of a file; what its template does not use is left at its default."""

    name: str
    template: str
    text: str
    """One sentence."""
    activities: tuple[str, ...] = ()
    """The first and the one that comes then; or the set that the rule is about."""
    severity: str = "error"
    mode: str = "plain"
    at_most: Limit | None = None
    at_least: Limit | None = None
    measured_from: str = "completion"
    measured_until: str = "completion"
    times: int = 0
    """Of existence the least, of absence the most."""
    resources: tuple[str, ...] = ()
    resource_kind: str | None = None
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    check: Condition | None = None
    when: Condition | None = None
    """The cases it applies to; null: all."""
    versions: tuple[str, ...] = ()
    """The versions of the workflow it applies to; empty: all."""
    calendar: Calendar | None = None
    line: int = 0
    """In its file."""


@dataclass(frozen=True)
class Rules:
    """The rules of a file, in its order."""

    name: str
    rules: tuple[Rule, ...]
    text: str = ""
    """The file as it is written."""

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def named(self, name: str) -> Rule:
        """The rule of this name; UnknownNameError if there is none."""
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise UnknownNameError("rule", name, [rule.name for rule in self.rules])
