"""The models of a pack: their texts as they were given, and their pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from miner.conformance.workflows import Workflow, Workflows
from miner.errors import InputError
from miner.output import plain

_ENDINGS: Mapping[str, str] = {
    "bpmn": ".bpmn",
    "pnml": ".pnml",
    "asl": ".asl.json",
    "logic-apps": ".json",
    "google-workflows": ".yaml",
    "workflow net": ".json",
    "declare": ".decl",
    "process-tree": ".tree",
    "process tree": ".tree",
}


@dataclass(frozen=True)
class ModelInPack:
    """One model with the names of its files."""

    workflow: Workflow
    file: str
    """Its definition, as it was given."""
    picture: str | None
    """The file of its picture; null where it cannot be drawn."""
    svg: str | None

    def described(self) -> dict[str, Any]:
        """What a program wants to know about it; `model` is its key in the other files."""
        model, workflow = self.workflow.model, self.workflow
        return {
            "model": f"{workflow.key:016x}",
            "name": model.name,
            "version": workflow.version,
            "valid_from": plain(workflow.valid_from),
            "format": model.source_format,
            "sha256": model.sha256,
            "file": self.file,
            "picture": self.picture,
            "sound": workflow.soundness.sound,
            "names": plain(workflow.names),
            "unmatched": list(workflow.unmatched),
            "remarks": [
                {"element_id": each.element_id, "element": each.element, "text": each.text}
                for each in workflow.remarks
            ],
        }


def models_of(workflows: Workflows) -> list[ModelInPack]:
    """The models that cases were held against, in their order, each with names for its files."""
    return [_model(number, each) for number, each in enumerate(workflows.workflows, start=1)]


def _model(number: int, workflow: Workflow) -> ModelInPack:
    # Versions are names that anybody may give: only a harmless part of one names a file.
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", workflow.version or "model").strip("-")[:60]
    name = f"model/{number:03d}-{safe or 'model'}"
    svg = _picture(workflow)
    ending = _ending(workflow.model.source_format)
    return ModelInPack(workflow, name + ending, f"{name}.svg" if svg else None, svg)


def _ending(source_format: str) -> str:
    if source_format.startswith("airflow"):
        return ".json"
    return _ENDINGS.get(source_format, ".txt")


def _picture(workflow: Workflow) -> str | None:
    from miner.model.picture import model_svg

    try:
        return model_svg(workflow.model)
    except InputError:
        return None
