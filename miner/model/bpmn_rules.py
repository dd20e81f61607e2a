"""What can happen in a BPMN process, as steps of a net with conditions a net has no words for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from miner.model.bpmn import Node, Scope, SequenceFlow

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rule:
    """A step of a net; with a guard it depends on more than the places around it.

    `empty` places must hold no token, `clear` ones lose all they have, of `some_of` each that has a
    token gives one as an inclusive gateway takes them, and an `urgent` rule comes before others.
    """

    label: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    element_id: str | None = None
    within: str = ""
    """The key of the context whose places the guard speaks of."""
    empty: frozenset[str] = _NOTHING
    clear: frozenset[str] = _NOTHING
    some_of: tuple[str, ...] = ()
    urgent: bool = False

    @property
    def guarded(self) -> bool:
        """Whether this is more than a step of a net."""
        return bool(self.empty or self.clear or self.some_of or self.urgent)


@dataclass
class Context:
    """One activation of a process or sub-process while its net is being built.

    Of an `extended` one it is known whether it is active: that takes a token in one of `alive`,
    and ends take tokens away instead of handing one on.
    """

    key: str
    scope: Scope
    parent: Context | None = None
    node: Node | None = None
    """The sub-process in the parent; null for a process."""
    after: str = ""
    extended: bool = False
    handles: bool = False
    """Whether this is an event sub-process."""
    alive: list[str] = field(default_factory=list)
    memory: list[str] = field(default_factory=list)
    """Places whose tokens do not keep the scope from ending."""
    children: list[Context] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    attached: dict[str, list[Node]] = field(default_factory=lambda: defaultdict(list))
    """Boundary events by the node that they are attached to."""
    incoming: dict[str, list[SequenceFlow]] = field(default_factory=lambda: defaultdict(list))
    outgoing: dict[str, list[SequenceFlow]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for flow in self.scope.flows:
            self.incoming[flow.target].append(flow)
            self.outgoing[flow.source].append(flow)
        for node in self.scope.nodes.values():
            if node.attached_to:
                self.attached[node.attached_to].append(node)
        if self.parent is not None:
            self.parent.children.append(self)

    def place(self, name: str) -> str:
        """The place of this context with a name."""
        full = f"{self.key}/{name}"
        self.places.add(full)
        return full

    def fresh(self, name: str) -> str:
        """A new place of this context."""
        return self.place(f"{name} {len(self.places)}")

    def flow(self, flow: SequenceFlow) -> str:
        """The place of a sequence flow."""
        return self.place(f"flow {flow.id}")

    def entry(self, node_id: str) -> str:
        """The place right before a node that is not only entered by a flow."""
        return self.place(f"into {node_id}")

    def region(self) -> frozenset[str]:
        """The places of this context and of those within."""
        return frozenset(place for context in self._all() for place in context.places)

    def boundary(self, node_id: str) -> list[Node]:
        """The boundary events on a node, but for those that wait for compensation."""
        return [event for event in self.attached[node_id] if kind_of(event) != "compensate"]

    def event_sub_processes(self) -> list[Node]:
        """The event sub-processes directly within."""
        return [node for node in self.scope.nodes.values() if node.by_event]

    def _all(self) -> Iterator[Context]:
        yield self
        for child in self.children:
            yield from child._all()


def kind_of(event: Node) -> str:
    """What an event waits for or throws: `timer`, `error`, …; empty when it does not say."""
    return event.triggers[0].kind if event.triggers else ""


def start_events(scope: Scope) -> list[Node]:
    """The nodes of which one begins the scope; empty when all without incoming flows do."""
    return [
        node
        for node in scope.nodes.values()
        if node.kind == "startEvent" or (node.instantiates and not _entered(scope, node))
    ]


def first_nodes(scope: Scope) -> list[Node]:
    """The nodes that no flow enters and nothing else starts."""
    entered = {flow.target for flow in scope.flows}
    return [
        node
        for node in scope.nodes.values()
        if node.id not in entered
        and node.kind not in ("boundaryEvent", "startEvent")
        and not node.by_event
        and not node.compensates
        and not (node.kind == "intermediateCatchEvent" and kind_of(node) == "link")
    ]


def _entered(scope: Scope, node: Node) -> bool:
    return any(flow.target == node.id for flow in scope.flows)


def branches(scope: Scope) -> bool:
    """Whether two things can go on at the same time directly within."""
    ways: dict[str, int] = defaultdict(int)
    for flow in scope.flows:
        ways[flow.source] += 1
    one_way = ("exclusiveGateway", "eventBasedGateway")
    for node in scope.nodes.values():
        if ways[node.id] > 1 and (node.kind not in one_way or node.parallel_events):
            return True
        if node.kind == "boundaryEvent" and not node.interrupting:
            return True
        if node.by_event:
            return True
    return not start_events(scope) and len(first_nodes(scope)) > 1
