"""BPMN 2.0 documents as plain elements, before anything is said about what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from miner.errors import ModelError
from miner.model.bpmn_checks import check_flows, check_ids
from miner.model.translation import Remark
from miner.model.xml_reader import local_name, namespace, parse_xml

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
TASKS = frozenset(
    {
        "task",
        "userTask",
        "serviceTask",
        "scriptTask",
        "sendTask",
        "receiveTask",
        "manualTask",
        "businessRuleTask",
    }
)
SUB_PROCESSES = frozenset({"subProcess", "adHocSubProcess", "transaction"})
CALLS = frozenset({"callActivity"})
GATEWAYS = frozenset(
    {
        "exclusiveGateway",
        "inclusiveGateway",
        "parallelGateway",
        "eventBasedGateway",
        "complexGateway",
    }
)
EVENTS = frozenset(
    {"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"}
)
NODES = TASKS | SUB_PROCESSES | CALLS | GATEWAYS | EVENTS
_SILENT = frozenset(
    {
        "sequenceFlow",
        "documentation",
        "extensionElements",
        "laneSet",
        "dataObject",
        "dataObjectReference",
        "property",
        "dataStoreReference",
        "textAnnotation",
        "association",
        "group",
        "ioSpecification",
        "dataInputAssociation",
        "dataOutputAssociation",
        "incoming",
        "outgoing",
        "auditing",
        "monitoring",
        "resourceRole",
        "performer",
        "humanPerformer",
        "potentialOwner",
        "multiInstanceLoopCharacteristics",
        "artifact",
        "category",
        "supports",
        "standardLoopCharacteristics",
        "completionCondition",
        "correlationSubscription",
        "dataStore",
        "inputSet",
        "outputSet",
        "ioBinding",
        "participant",
        "messageFlow",
    }
)
_EXTENSIONS = (
    "camunda.org/schema", "activiti.org", "flowable.org", "bpmn.io", "signavio.com", "jboss.org",
    "qbp-simulator.com", "bpsim.org", "apromore", "processconcepts", "omg.org", "w3.org",
    "trisotech.com", "bizagi.com", "sap.com", "ibm.com", "visual-paradigm", "yaoqiang",
    "adonis", "boc-group", "bonitasoft", "oracle.com", "drools.org",
)  # fmt: skip

_DEEPEST = 40

LoopKind = Literal["", "loop", "sequential", "parallel"]


@dataclass(frozen=True)
class Trigger:
    """What an event waits for or throws: `kind` as in `timerEventDefinition`, without the ending.

    `code` is what tells one from another: the error or escalation code, the link's name, the id of
    the activity to compensate; empty for any. `once` is false for a timer that repeats.
    """

    kind: str
    code: str = ""
    once: bool = True


@dataclass(frozen=True)
class SequenceFlow:
    """A sequence flow between two nodes of one scope."""

    id: str
    source: str
    target: str
    conditional: bool = False


@dataclass(frozen=True)
class Node:
    """A task, an event, a gateway or a sub-process; `kind` is the name of its element."""

    id: str
    kind: str
    name: str = ""
    triggers: tuple[Trigger, ...] = ()
    attached_to: str = ""
    interrupting: bool = True
    default: str = ""
    loop: LoopKind = ""
    least: int = 1
    """How often a loop runs at least."""
    called: str = ""
    compensates: bool = False
    instantiates: bool = False
    by_event: bool = False
    parallel_events: bool = False
    """An event-based gateway that waits for all of its events, not for the first."""
    inner: Scope | None = None

    @property
    def label(self) -> str:
        """Its name, or its id when it has none."""
        return self.name or self.id


@dataclass(frozen=True)
class Scope:
    """The content of a process or a sub-process; `handlers` maps compensation events to nodes."""

    id: str
    nodes: Mapping[str, Node] = field(default_factory=dict)
    flows: tuple[SequenceFlow, ...] = ()
    handlers: Mapping[str, str] = field(default_factory=dict)
    sequential: bool = False
    """Whether an ad-hoc sub-process does one thing at a time."""

    def handlers_used(self) -> bool:
        """Whether something within remembers what was done, to undo it."""
        return any(
            node.kind == "boundaryEvent" and node.triggers and node.triggers[0].kind == "compensate"
            for node in self.nodes.values()
        )


@dataclass(frozen=True)
class Process:
    """One process of a document."""

    id: str
    name: str
    executable: bool
    scope: Scope


@dataclass(frozen=True)
class Document:
    """The processes of a BPMN document by id, and what was met that is not understood."""

    processes: Mapping[str, Process]
    remarks: tuple[Remark, ...] = ()


def parse_bpmn(text: str) -> Document:
    """The processes of a BPMN 2.0 document as plain elements.

    Raises ModelError for a document that is no BPMN, without a process, with an id twice, with a
    flow or an attachment that leads nowhere, or with an element in a flow that BPMN does not have.

    Source: OMG, Business Process Model and Notation 2.0.2 (2014).
    """
    root = _root(text)
    check_ids(root, BPMN)
    reader = _Reader(root)
    found = [reader.process(element) for element in root if local_name(element) == "process"]
    processes = {process.id: process for process in found}
    if not processes:
        raise ModelError(
            "The BPMN document has no process.",
            hint="Choreographies, conversations and decision tables cannot be read.",
        )
    return Document(processes, tuple(reader.remarks))


def bpmn_lanes(text: str) -> dict[str, str]:
    """The name of the innermost lane of each element that lies in one, by the element's id.

    A lane without a name goes by its id. Empty when the document has no lanes. Raises ModelError
    for a document that is no BPMN.
    """
    found: dict[str, str] = {}
    for lane in _root(text).iter(f"{{{BPMN}}}lane"):  # outer lanes come before inner ones
        name = (lane.get("name") or "").strip() or lane.get("id", "")
        for reference in lane.findall(f"{{{BPMN}}}flowNodeRef"):
            found[(reference.text or "").strip()] = name
    return found


def _root(text: str) -> Any:
    root = parse_xml(text, "BPMN")
    if local_name(root) != "definitions" or namespace(root) != BPMN:
        raise ModelError(
            f"The document is not BPMN 2.0: its outermost element is <{local_name(root)}>"
            f" of {namespace(root) or 'no namespace'!r}.",
            hint=f"It has to be <definitions> of {BPMN}.",
        )
    return root


class _Reader:
    def __init__(self, root: Any) -> None:
        self.remarks: list[Remark] = []
        self._codes = {
            element.get("id"): element.get(attribute) or element.get("name") or element.get("id")
            for tag, attribute in (("error", "errorCode"), ("escalation", "escalationCode"))
            for element in root.iter(f"{{{BPMN}}}{tag}")
        }
        self._strange: set[str] = set()

    def process(self, element: Any) -> Process:
        scope = self._scope(element)
        name = (element.get("name") or "").strip()
        return Process(scope.id, name, element.get("isExecutable") == "true", scope)

    def _scope(self, element: Any, depth: int = 0) -> Scope:
        if depth > _DEEPEST:
            raise ModelError(
                f"The sub-process {element.get('id')!r} in line {element.sourceline} lies in more "
                f"than {_DEEPEST} others.",
                hint="Call processes instead of nesting them.",
            )
        nodes: dict[str, Node] = {}
        for child in element:
            if namespace(child) != BPMN:
                continue
            kind = local_name(child)
            if kind in NODES:
                node = self._node(child, kind, depth)
                nodes[node.id] = node
            elif kind not in _SILENT:
                self._unknown(child, kind)
            self._extensions(child)
        flows = tuple(_flow(child) for child in element.findall(f"{{{BPMN}}}sequenceFlow"))
        scope = Scope(
            element.get("id") or "process",
            nodes,
            flows,
            _handlers(element),
            element.get("ordering") == "Sequential",
        )
        check_flows(element, scope.id, {n.id: (n.kind, n.attached_to) for n in nodes.values()})
        return scope

    def _node(self, element: Any, kind: str, depth: int) -> Node:
        loop, least = _loop(element)
        return Node(
            element.get("id") or "",
            kind,
            " ".join((element.get("name") or "").split())
            if kind not in TASKS | CALLS
            else (element.get("name") or "").strip(),
            tuple(self._triggers(element)),
            element.get("attachedToRef") or "",
            (element.get("cancelActivity") or element.get("isInterrupting")) != "false",
            element.get("default") or "",
            loop,
            least,
            _called(element),
            element.get("isForCompensation") == "true",
            element.get("instantiate") == "true",
            element.get("triggeredByEvent") == "true",
            element.get("eventGatewayType") == "Parallel",
            self._scope(element, depth + 1) if kind in SUB_PROCESSES else None,
        )

    def _triggers(self, element: Any) -> Iterator[Trigger]:
        for child in element:
            name = local_name(child)
            if namespace(child) != BPMN or not name.endswith("EventDefinition"):
                continue
            kind = name.removesuffix("EventDefinition")
            reference = child.get(f"{kind}Ref") or child.get("activityRef") or ""
            code = child.get("name") or "" if kind == "link" else reference
            if kind in ("error", "escalation"):
                code = self._codes.get(reference, reference)
            yield Trigger(
                kind, code, kind == "timer" and child.find(f"{{{BPMN}}}timeCycle") is None
            )

    def _unknown(self, element: Any, kind: str) -> None:
        name = element.get("id")
        if element.find(f"{{{BPMN}}}incoming") is not None or (
            element.find(f"{{{BPMN}}}outgoing") is not None
        ):
            raise ModelError(
                f"The element {name!r} in line {element.sourceline} is a <{kind}>, which BPMN 2.0 "
                "does not have.",
                hint="Replace it by a task, an event, a gateway or a sub-process.",
            )
        self.remarks.append(
            Remark(name, kind, f"The element <{kind}> is not understood and left out.")
        )

    def _extensions(self, element: Any) -> None:
        for extension in element.iterfind(f"{{{BPMN}}}extensionElements/*"):
            space = namespace(extension)
            if space not in self._strange and not any(known in space for known in _EXTENSIONS):
                self._strange.add(space)
                text = f"What extensions of {space!r} mean is not known; they are left out."
                self.remarks.append(Remark(element.get("id"), local_name(extension), text))


def _flow(element: Any) -> SequenceFlow:
    condition = element.find(f"{{{BPMN}}}conditionExpression") is not None
    ends = element.get("sourceRef") or "", element.get("targetRef") or ""
    return SequenceFlow(element.get("id") or f"{ends[0]} to {ends[1]}", *ends, condition)


def _loop(element: Any) -> tuple[LoopKind, int]:
    standard = element.find(f"{{{BPMN}}}standardLoopCharacteristics")
    if standard is not None:
        return "loop", 0 if standard.get("testBefore") == "true" else 1
    several = element.find(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
    if several is None:
        return "", 1
    number = (several.findtext(f"{{{BPMN}}}loopCardinality") or "").strip()
    least = 1 if number.isdecimal() and int(number) else 0
    return ("sequential" if several.get("isSequential") == "true" else "parallel"), least


def _called(element: Any) -> str:
    called = element.get("calledElement") or ""
    for extension in element.iterfind(f"{{{BPMN}}}extensionElements/*"):
        if local_name(extension) == "calledElement":
            called = extension.get("processId") or called
    return str(called).rpartition(":")[2]


def _handlers(element: Any) -> dict[str, str]:
    """The node that each end of an association leads to; most are notes and meet no event."""
    return {
        association.get("sourceRef", ""): association.get("targetRef", "")
        for association in element.findall(f"{{{BPMN}}}association")
    }
