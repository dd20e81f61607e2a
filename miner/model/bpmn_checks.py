"""What makes a BPMN document unusable, with the id of the element and its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from miner.errors import ModelError
from miner.model.xml_reader import local_name, namespace

_ENDINGS = (
    "Task",
    "task",
    "Event",
    "Gateway",
    "ubProcess",
    "transaction",
    "Activity",
    "sequenceFlow",
)


def check_ids(root: Any, bpmn: str) -> None:
    """Raise ModelError when two nodes, flows or processes share an id, or one has none."""
    lines: dict[str, int] = {}
    for element in root.iter(f"{{{bpmn}}}*"):
        kind = local_name(element)
        if not kind.endswith((*_ENDINGS, "process")):
            continue
        name = element.get("id")
        if not name and kind not in ("sequenceFlow", "process"):
            raise ModelError(
                f"A <{kind}> in line {element.sourceline} has no id.",
                hint="Give every element an id of its own.",
            )
        if name in lines:
            raise ModelError(
                f"Two elements have the id {name!r}: in lines {lines[name]} and "
                f"{element.sourceline}.",
                hint="Give every element an id of its own.",
            )
        if name:
            lines[name] = element.sourceline


def check_flows(scope: Any, scope_id: str, nodes: Mapping[str, tuple[str, str]]) -> None:
    """Raise ModelError where a flow or an attachment of one scope leads nowhere.

    `nodes` has the kind of each node, and the node it is attached to.
    """
    flows = [child for child in scope if local_name(child) == "sequenceFlow"]
    known = {flow.get("id") for flow in flows}
    for flow in flows:
        for end in ("sourceRef", "targetRef"):
            _check_end(flow, end, scope_id, nodes)
    for name, (kind, attached_to) in nodes.items():
        if kind == "boundaryEvent" and attached_to not in nodes:
            raise ModelError(
                f"The boundary event {name!r} is attached to {attached_to!r}, which is not in "
                f"{scope_id!r}.",
                hint="Attach it to an activity beside it.",
            )
    for child in scope:
        if child.get("id") in nodes:
            _check_mentioned(child, known)


def _check_end(flow: Any, end: str, scope_id: str, nodes: Mapping[str, tuple[str, str]]) -> None:
    node = flow.get(end)
    if node not in nodes:
        raise ModelError(
            f"The sequence flow {flow.get('id')!r} in line {flow.sourceline} has the {end} "
            f"{node!r}, which is no element of {scope_id!r}.",
            hint="Draw the flow between two elements of one process or sub-process.",
        )
    kind = nodes[node][0]
    if kind in (("endEvent",) if end == "sourceRef" else ("startEvent", "boundaryEvent")):
        way = "leaves" if end == "sourceRef" else "enters"
        raise ModelError(
            f"The sequence flow {flow.get('id')!r} in line {flow.sourceline} {way} the {kind} "
            f"{node!r}.",
            hint="Flows begin at start events and boundary events, and end at end events.",
        )


def _check_mentioned(node: Any, known: set[Any]) -> None:
    for child in node:
        if local_name(child) in ("incoming", "outgoing") and namespace(child) == namespace(node):
            mentioned = (child.text or "").strip().rpartition(":")[2]
            if mentioned and mentioned not in known:
                raise ModelError(
                    f"The element {node.get('id')!r} in line {node.sourceline} names the sequence "
                    f"flow {mentioned!r}, which does not exist.",
                    hint="Remove the reference, or draw the flow again.",
                )
