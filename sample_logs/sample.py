"""What a process module hands to the generator: a log, its workflows, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sample_logs.bpmn import Workflow

Value = str | int | float | date | list[str]


@dataclass(frozen=True)
class ModelledWorkflow:
    """A workflow in force from one day until another; None on either side means no limit."""

    workflow: Workflow
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class Sample:
    """One log as bytes, with everything the catalogue says about it."""

    file: str
    source: str
    process: str
    title: str
    description: str
    owner: str
    content: bytes
    models: Sequence[ModelledWorkflow]
    counts: Mapping[str, int]
    truths: Sequence[Mapping[str, Value]]
    options: Mapping[str, str] = field(default_factory=dict)
    format: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its files, without endings."""
        return self.process.replace("-", "_")

    def model_files(self) -> list[tuple[str, ModelledWorkflow]]:
        """File name of each workflow: the newest has the name of the log, older ones a version."""
        *older, newest = self.models
        named = [(f"{self.name}_{each.workflow.version}.bpmn", each) for each in older]
        return [*named, (f"{self.name}.bpmn", newest)]
