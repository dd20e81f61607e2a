"""Chains of runs: a Temporal workflow is one case however many runs it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Began:
    """What the first event of a run says about the run, and what only the server knows."""

    namespace: str
    workflow_id: str
    workflow_type: str
    first_run: str
    """The run that the chain of runs began with: continued, retried, begun by cron, reset."""
    run: str
    parent: str | None = None
    root: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def case_id(self) -> str:
        """Stays the same when a workflow continues as new, is retried or is reset."""
        return case_id(self.namespace, self.workflow_id, self.first_run)

    def row(self, unit: int) -> tuple[Any, ...]:
        """A row of `RUN`."""
        about = {"namespace": self.namespace, "workflow_id": self.workflow_id, **self.attributes}
        text = json.dumps(about, ensure_ascii=False, sort_keys=True)
        root = self.root if self.root != self.case_id else None
        return unit, self.workflow_type, self.case_id, self.run, self.parent, root, text


def case_id(namespace: str, workflow_id: str, first_run: str) -> str:
    """What identifies a workflow from its first run to its last."""
    return "/".join((namespace, workflow_id, first_run))
