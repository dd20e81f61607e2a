"""Inclusive gateways that close what another gateway opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from miner.model.bpmn import Node, SequenceFlow
from miner.model.bpmn_rules import Context, first_nodes, start_events

INCLUSIVE = ("inclusiveGateway", "complexGateway")
_EXCLUSIVE = ("exclusiveGateway", "eventBasedGateway")


@dataclass(frozen=True)
class Block:
    """What lies between a node that splits and the inclusive gateway that joins all its ways."""

    split: str
    join: str
    ways: Mapping[str, str]
    """For each flow out of the split, the flow into the join that it leads to."""


def blocks(context: Context) -> list[Block]:
    """The blocks of a scope; each inclusive gateway with several incoming flows is in one at most.

    Every way of a block is entered at the split and left at the join only, by one flow, and none of
    its nodes ends the scope.
    """
    graph = _Graph(context)
    found = []
    for node in context.scope.nodes.values():
        if node.kind in INCLUSIVE and len(context.incoming[node.id]) > 1:
            split = graph.dominator(node.id)
            block = None if split is None else _block(context, graph, split, node.id)
            if block is not None:
                found.append(block)
    return found


def _block(context: Context, graph: _Graph, split: str, join: str) -> Block | None:
    ways: dict[str, str] = {}
    claimed: set[str] = set()
    for flow in context.outgoing[split]:
        reached, last = _way(context, graph, flow, split, join)
        if last is None or claimed & reached:
            return None
        claimed |= reached
        ways[flow.id] = last
    if sorted(ways.values()) != sorted(flow.id for flow in context.incoming[join]):
        return None
    return Block(split, join, ways)


def _way(
    context: Context, graph: _Graph, flow: SequenceFlow, split: str, join: str
) -> tuple[set[str], str | None]:
    """The nodes after `flow` and the only flow of theirs into the join; null when there is none."""
    if flow.target == join:
        return set(), flow.id
    reached = {flow.target}
    waiting = [flow.target]
    exits = []
    while waiting:
        name = waiting.pop()
        if not graph.after[name] and not _throws(context.scope.nodes[name]):
            return reached, None
        exits += [out.id for out in context.outgoing[name] if out.target == join]
        new = {after for after in graph.after[name] if after != join} - reached
        reached |= new
        waiting += new
    foreign = any(graph.entered_by[name] - reached - {split} for name in reached)
    first = [out for out in context.outgoing[split] if out.target in reached]
    if split in reached or foreign or len(first) != 1 or len(exits) != 1:
        return reached, None
    return reached, exits[0]


def _throws(node: Node) -> bool:
    """Whether reaching this end takes all tokens away, so that no join waits for any."""
    return any(trigger.kind in ("error", "terminate", "cancel") for trigger in node.triggers)


class _Graph:
    """The nodes of a scope and what follows them, boundary events following their activities."""

    def __init__(self, context: Context) -> None:
        nodes = context.scope.nodes
        self.after: dict[str, list[str]] = {name: [] for name in nodes}
        self.entered_by: dict[str, set[str]] = {name: set() for name in nodes}
        for source, target in _edges(context):
            self.after[source].append(target)
            self.entered_by[target].add(source)
        starts = start_events(context.scope) or first_nodes(context.scope)
        self._order = self._reverse_postorder([node.id for node in starts])
        self._dominators = self._immediate([node.id for node in starts])

    def dominator(self, name: str) -> str | None:
        """The last node that every way to `name` passes; null when there is none."""
        return self._dominators.get(name)

    def _reverse_postorder(self, starts: list[str]) -> dict[str, int]:
        seen: set[str] = set()
        done: list[str] = []
        for start in starts:
            stack = [(start, iter(self.after[start]))] if start not in seen else []
            seen.add(start)
            while stack:
                name, rest = stack[-1]
                following = next((n for n in rest if n not in seen), None)
                if following is None:
                    done.append(name)
                    stack.pop()
                else:
                    seen.add(following)
                    stack.append((following, iter(self.after[following])))
        return {name: number for number, name in enumerate(reversed(done))}

    def _immediate(self, starts: list[str]) -> dict[str, str | None]:
        """Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm (2001)."""
        of: dict[str, str | None] = dict.fromkeys(starts)
        changed = True
        while changed:
            changed = False
            for name in self._order:
                if name in starts:
                    continue
                known = [before for before in self.entered_by[name] if before in of]
                common: str | None = known[0]
                for before in known[1:]:
                    common = self._meet(common, before, of)
                if name not in of or of[name] != common:
                    of[name] = common
                    changed = True
        return of

    def _meet(self, a: str | None, b: str | None, of: dict[str, str | None]) -> str | None:
        while a != b:
            if a is None or b is None:
                return None
            if self._order[a] > self._order[b]:
                a = of[a]
            else:
                b = of[b]
        return a


def _edges(context: Context) -> Iterator[tuple[str, str]]:
    nodes = context.scope.nodes
    for flow in context.scope.flows:
        yield flow.source, flow.target
    catches = {
        node.triggers[0].code: node.id
        for node in nodes.values()
        if node.kind == "intermediateCatchEvent"
        and node.triggers
        and node.triggers[0].kind == "link"
    }
    for node in nodes.values():
        if node.attached_to in nodes:
            yield node.attached_to, node.id
        for trigger in node.triggers:
            throws = node.kind == "intermediateThrowEvent" and trigger.kind == "link"
            if throws and trigger.code in catches:
                yield node.id, catches[trigger.code]


def exclusive(node: Node) -> bool:
    """Whether a node that splits lets exactly one way be taken."""
    return node.kind in _EXCLUSIVE and not node.parallel_events
