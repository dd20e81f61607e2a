"""Process models: a workflow net that remembers where it came from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from miner.model.process_tree import ProcessTree
from miner.model.tree_net import net_of_tree
from miner.model.workflow_net import WorkflowNet


@dataclass(frozen=True)
class ProcessModel:
    """A model of a process, whether discovered, drawn or read from an engine's definition.

    `net` says what the model allows. `tree` is the process tree when the model is built from
    blocks, else null. `source_text` is the definition as it was read, in `source_format` (bpmn,
    pnml, …; "process tree" or "workflow net" for a discovered one); `version` is the name of the
    deployed version, null when the source knows none.
    """

    name: str
    net: WorkflowNet
    source_format: str
    source_text: str
    tree: ProcessTree | None = None
    version: str | None = None

    @property
    def process_tree(self) -> str | None:
        """The process tree as text, null when there is none."""
        return None if self.tree is None else str(self.tree)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the source text in UTF-8: two models with the same one are the same."""
        return hashlib.sha256(self.source_text.encode()).hexdigest()


def model_of_tree(name: str, tree: ProcessTree) -> ProcessModel:
    """The model `name` of a process tree."""
    return ProcessModel(name, net_of_tree(tree), "process tree", str(tree), tree)


def model_of_net(name: str, net: WorkflowNet) -> ProcessModel:
    """The model `name` of a net that has no other source; its text is the net as JSON."""
    return ProcessModel(name, net, "workflow net", json.dumps(_net(net), ensure_ascii=False))


def to_json(model: ProcessModel) -> str:
    """`model` as JSON: name, version, source format, hash, process tree or null, and the net.

    The net has `places`, `transitions` (`id`, `label` or null, `element_id` or null), `arcs`
    (`source`, `target`, `weight`), `initial_marking` and `final_marking` (tokens by place).
    """
    content = {
        "name": model.name,
        "version": model.version,
        "source_format": model.source_format,
        "sha256": model.sha256,
        "process_tree": model.process_tree,
        **_net(model.net),
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _net(net: WorkflowNet) -> dict[str, Any]:
    return {
        "places": list(net.places),
        "transitions": [
            {"id": t.id, "label": t.label, "element_id": t.element_id} for t in net.transitions
        ],
        "arcs": [{"source": a.source, "target": a.target, "weight": a.weight} for a in net.arcs],
        "initial_marking": dict(net.initial),
        "final_marking": dict(net.final),
    }
