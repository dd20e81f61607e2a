"""From the elements of a BPMN process to the rules of its token game."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from miner.errors import ModelError
from miner.model import bpmn_activities as activities
from miner.model import bpmn_throws as throws
from miner.model.bpmn import CALLS, SUB_PROCESSES, TASKS, Node, Process, SequenceFlow
from miner.model.bpmn_blocks import INCLUSIVE, Block, blocks, exclusive
from miner.model.bpmn_rules import Context, Rule, branches, first_nodes, kind_of, start_events
from miner.model.bpmn_states import ends_once
from miner.model.translation import Remark

_MOST_SUBSETS = 6
"""Ways of an inclusive split that are written out as subsets."""
_MOST_CHECKED = 5_000
_DEEPEST = 60
_MOST_CONTEXTS = 5_000


class Builder:
    """Collects the rules of a process; `sketch` leaves out labels and what is in sub-processes.

    `leaves` says which events of the model leave an event and which calls are not replaced.
    """

    def __init__(
        self,
        processes: Mapping[str, Process],
        leaves: Callable[[Node], bool] = lambda _: False,
        *,
        sketch: bool = False,
    ) -> None:
        self.processes = processes
        self.leaves = leaves
        self.sketch = sketch
        self.rules: list[Rule] = []
        self.remarks: dict[Remark, None] = {}
        self.contexts: list[Context] = []
        self.caught: set[str] = set()
        """Events that are caught where they are thrown, not at any time."""
        self.thrown: list[Callable[[], None]] = []
        self.last: list[Callable[[], None]] = []
        self._blocks: dict[str, dict[str, Block]] = {}
        self._serial = 0

    def process(self, process: Process, source: str, sink: str) -> Context:
        """Add the rules of a whole process between two places."""
        context = self.context(process.id, Context(process.id, process.scope, after=sink))
        context.extended = throws.needs_marker(self, context) or not self.ends_well(context)
        self.content(context, source)
        # Which places there are is known in the end, and what is caught before what may come.
        for late in (*self.thrown, *self.last):
            late()
        return context

    def context(self, name: str, made: Context) -> Context:
        """`made`, known by a key of its own."""
        self._serial += 1
        above, depth = made.parent, 0
        while above is not None:
            above, depth = above.parent, depth + 1
        if depth > _DEEPEST or self._serial > _MOST_CONTEXTS:
            raise ModelError(
                f"{made.scope.id!r} is reached by too many calls, one in another or in all.",
                hint="Read the called processes each by itself.",
            )
        made.key = f"{name}.{self._serial}"
        self.contexts.append(made)
        return made

    def rule(
        self, label: str | None, before: tuple[str, ...], after: tuple[str, ...], node: str | None
    ) -> None:
        """Add a rule without a guard."""
        self.rules.append(Rule(None if self.sketch else label, before, after, node))

    def remark(self, node: Node | None, text: str, element: str = "") -> None:
        """Say what the net does not say exactly."""
        name = None if node is None else node.id
        self.remarks[Remark(name, element or ("" if node is None else node.kind), text)] = None

    def ends_well(self, context: Context) -> bool:
        """Whether a case ends with one token at one end, so that nothing has to be counted."""
        if self.sketch or not branches(context.scope):
            return True
        sketch = Builder({}, sketch=True)
        copy = sketch.context("sketch", Context("", context.scope, after="sink", node=context.node))
        sketch.content(copy, "source")
        for late in sketch.last:
            late()
        well = ends_once(sketch.rules, "source", "sink", most_states=_MOST_CHECKED)
        if well is None and sum(not context.outgoing[name] for name in context.scope.nodes) > 1:
            text = (
                f"{context.scope.id!r} has too many states to see whether more than one of its "
                "ends can be reached in one case; the net takes it that none can."
            )
            self.remark(context.node, text, "process" if context.node is None else "")
        return well is not False

    def content(self, context: Context, before: str) -> None:
        """Add what is between `before` and the place after a scope."""
        scope = context.scope
        reached = self._reached(context)
        self._check_ways(context, reached)
        here = {block.join: block for block in blocks(context)}
        self._blocks[context.key] = here | {f"split {b.split}": b for b in here.values()}
        for name in (name for name in scope.nodes if name in reached):
            self.node(scope.nodes[name], context)
        active = tuple([context.place("active")] if context.extended else [])
        context.alive += active
        owner = scope.id
        if context.node is not None and context.node.kind == "adHocSubProcess":
            activities.ad_hoc(self, context, before, active)
        elif starts := start_events(scope):
            for start in starts:
                self.rule(None, (before,), (*active, context.entry(start.id)), start.id)
        else:
            entries = [context.entry(node.id) for node in first_nodes(scope)]
            self.rule(None, (before,), (*active, *entries), owner)
        if context.extended:
            throws.completion(self, context)
            for node in context.event_sub_processes():
                throws.event_sub_process(self, node, context)

    def node(self, node: Node, context: Context) -> None:
        """Add a node: what it waits for, what it is, and where it goes on."""
        before = self._entered(node, context)
        if node.kind in TASKS | SUB_PROCESSES | CALLS:
            behind = self._behind(node, context)
            activities.activity(self, node, context, before, behind)
        elif node.kind in ("endEvent", "intermediateThrowEvent") and node.triggers:
            behind = context.place(f"behind {node.id}")
            throws.throw(self, node, context, self._event(node, context, before), behind)
        elif node.kind.endswith("Event"):
            behind = self._event(node, context, before)
        else:
            behind = before
        self._leave(node, context, behind)

    def end(self, context: Context, place: str, node: str | None) -> None:
        """Add that a token in `place` has come to an end of the scope."""
        swallowed = context.extended or context.handles
        ad_hoc = context.node is not None and context.node.kind == "adHocSubProcess"
        after = (context.place("hub"),) if ad_hoc else () if swallowed else (context.after,)
        self.rule(None, (place,), after, node)

    def _event(self, node: Node, context: Context, before: str) -> str:
        behind = context.place(f"after {node.id}")
        label = node.label if self.leaves(node) else None
        self.rule(label, (before,), (behind,), node.id)
        return behind

    def _behind(self, node: Node, context: Context) -> str:
        flows = context.outgoing[node.id]
        if len(flows) == 1:
            return context.flow(flows[0])
        return context.place(f"behind {node.id}")

    def _entered(self, node: Node, context: Context) -> str:
        """The place before a node, behind the join of its incoming flows."""
        flows = context.incoming[node.id]
        places = tuple(context.flow(flow) for flow in flows)
        if len(flows) == 1:
            return places[0]
        entry = context.entry(node.id)
        if node.kind == "parallelGateway" and flows:
            self.rule(None, places, (entry,), node.id)
        elif node.kind in INCLUSIVE and len(flows) > 1 and branches(context.scope):
            self._inclusive_join(node, context, places, entry)
        else:
            for place in places:
                self.rule(None, (place,), (entry,), node.id)
        return entry

    def _inclusive_join(
        self, node: Node, context: Context, places: tuple[str, ...], entry: str
    ) -> None:
        block = self._blocks[context.key].get(node.id)
        split = None if block is None else context.scope.nodes[block.split]
        if node.kind == "complexGateway":
            self.remark(
                node, "When it goes on is not evaluated; it waits as an inclusive one does."
            )
        if split is None:
            guarded = Rule(None, (), (entry,), node.id, context.key, some_of=places)
            self.rules.append(guarded)
        elif exclusive(split):
            for place in places:
                self.rule(None, (place,), (entry,), node.id)
        elif _optional(split, context.outgoing[split.id]):
            chosen = context.place(f"chosen {split.id}")
            self.rule(None, (chosen, *places), (entry,), node.id)
        else:
            self.rule(None, places, (entry,), node.id)

    def _leave(self, node: Node, context: Context, place: str) -> None:
        """Add the split into the outgoing flows of a node."""
        flows = context.outgoing[node.id]
        places = [context.flow(flow) for flow in flows]
        if not flows:
            if not (kind_of(node) == "link" and node.kind == "intermediateThrowEvent"):
                self.end(context, place, node.id)
        elif len(flows) == 1 or exclusive(node):
            for after in places:
                if after != place:
                    self.rule(None, (place,), (after,), node.id)
        elif _optional(node, flows):
            if node.kind == "complexGateway":
                self.remark(
                    node, "Which ways it takes is not evaluated; any of them, one at least."
                )
            self._inclusive_split(node, context, place)
        else:
            if node.parallel_events:
                self.remark(
                    node, "It waits for all of its events, each of which goes on by itself."
                )
            self.rule(None, (place,), tuple(places), node.id)

    def _inclusive_split(self, node: Node, context: Context, before: str) -> None:
        """Any of the optional ways and all others; the default one only when no other is taken."""
        flows = context.outgoing[node.id]
        block = self._blocks[context.key].get(f"split {node.id}")
        optional = _optional(node, flows)
        default = [flow for flow in flows if flow.id == node.default]
        certain = [flow for flow in flows if flow not in optional and flow not in default]
        if block is not None:
            self._open(node, context, before, block)
            return
        if len(optional) > _MOST_SUBSETS:
            self.remark(node, "It has many ways out; the net takes one of them, two, or all.")
        least = 0 if certain and not default else 1
        for chosen in _subsets(optional, least):
            after = tuple(context.flow(flow) for flow in (*certain, *chosen))
            self.rule(None, (before,), after, node.id)
        if default:
            after = tuple(context.flow(flow) for flow in (*certain, *default))
            self.rule(None, (before,), after, node.id)

    def _open(self, node: Node, context: Context, before: str, block: Block) -> None:
        """A way may be left out only once another was chosen, so the join never waits in vain."""
        flows = {flow.id: context.place(f"flow {flow.id}") for flow in context.outgoing[node.id]}
        done = {name: context.place(f"flow {last}") for name, last in block.ways.items()}
        optional = [flow.id for flow in _optional(node, context.outgoing[node.id])]
        others = [name for name in flows if name not in (*optional, node.default)]
        chosen = context.place(f"chosen {node.id}")
        nothing = chosen if others else context.place(f"nothing of {node.id}")
        open_ = {name: context.place(f"open {name}") for name in optional}
        left_out = [done[node.default]] if node.default in flows else []
        certain = [flows[name] for name in others]
        after = (nothing, *open_.values(), *certain, *left_out)
        self.rule(None, (before,), after, node.id)
        for name, place in open_.items():
            for state in dict.fromkeys((nothing, chosen)):
                self.rule(None, (state, place), (chosen, flows[name]), node.id)
            if certain or len(open_) > 1:
                self.rule(None, (chosen, place), (chosen, done[name]), node.id)
        if left_out:
            skipped = (done[name] for name in optional)
            self.rule(None, (before,), (chosen, flows[node.default], *certain, *skipped), node.id)

    def _reached(self, context: Context) -> set[str]:
        """The nodes that a token can come to; says which cannot be reached."""
        scope = context.scope
        following: dict[str, list[str]] = {name: [] for name in scope.nodes}
        for flow in scope.flows:
            following[flow.source].append(flow.target)
        for node in scope.nodes.values():
            if node.kind == "boundaryEvent" and kind_of(node) != "compensate":
                following[node.attached_to].append(node.id)
            following[node.id] += throws.link_targets(node, scope)
        waiting = [node.id for node in (start_events(scope) or first_nodes(scope))]
        if context.node is not None and context.node.kind == "adHocSubProcess":
            waiting += [node.id for node in first_nodes(scope)]
        reached = set(waiting)
        while waiting:
            new = set(following[waiting.pop()]) - reached
            reached |= new
            waiting += new
        for name, node in scope.nodes.items():
            apart = node.by_event or node.compensates or kind_of(node) == "compensate"
            if name not in reached and not apart and not self.sketch:
                self.remark(node, f"{node.label!r} cannot be reached and is left out.")
        return reached

    def _check_ways(self, context: Context, reached: set[str]) -> None:
        scope = context.scope
        kind = "process" if context.node is None else context.node.kind
        if not scope.nodes:
            raise ModelError(
                f"The {kind} {scope.id!r} has no elements.",
                hint="Draw at least a start event, a task and an end event.",
            )
        if not reached:
            raise ModelError(
                f"The {kind} {scope.id!r} has no start: every element waits for another.",
                hint="Add a start event.",
            )
        if all(context.outgoing[name] for name in reached if not scope.nodes[name].by_event):
            raise ModelError(
                f"The {kind} {scope.id!r} has no end: no way through it ever stops.",
                hint="Add an end event.",
            )
        if not start_events(scope) and context.node is None and not self.sketch:
            self.remark(None, "There is no start event; all that nothing leads to starts.", kind)


def _optional(node: Node, flows: list[SequenceFlow]) -> list[SequenceFlow]:
    """The flows that need not be taken when the others are; none for a parallel split."""
    if node.kind == "parallelGateway" or node.parallel_events:
        return []
    if node.kind in INCLUSIVE:
        return [flow for flow in flows if flow.id != node.default]
    return [flow for flow in flows if flow.conditional and flow.id != node.default]


def _subsets(flows: list[SequenceFlow], least: int) -> Iterator[tuple[SequenceFlow, ...]]:
    sizes = range(least, len(flows) + 1)
    for size in sizes if len(flows) <= _MOST_SUBSETS else {least, 1, 2, len(flows)}:
        yield from combinations(flows, size)
