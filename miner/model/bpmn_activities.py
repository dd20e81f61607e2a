"""Tasks, sub-processes and calls: what runs once or again, and may be interrupted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from miner.model.bpmn import CALLS, SUB_PROCESSES, Node
from miner.model.bpmn_rules import Context, Rule, first_nodes, kind_of
from miner.model.bpmn_throws import happens_again, memory_of, needs_marker

if TYPE_CHECKING:
    from miner.model.bpmn_builder import Builder


def activity(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    """Add an activity between two places, as often as its markers say."""
    if node.kind in CALLS and not build.leaves(node):
        node = _called(build, node, context)
    if not node.loop:
        _once(build, node, context, before, after)
        return
    if node.loop == "parallel":
        text = "Its instances run one after the other; their order and number are not checked."
        build.remark(node, text)
    first, last = context.fresh(f"again {node.id}"), context.fresh(f"done {node.id}")
    build.rule(None, (before,), (first,), node.id)
    _once(build, node, context, first, last)
    build.rule(None, (last,), (first,), node.id)
    build.rule(None, (last,), (after,), node.id)
    if not node.least:
        build.rule(None, (before,), (after,), node.id)


def ad_hoc(build: Builder, context: Context, before: str, active: tuple[str, ...]) -> None:
    """Add that everything nothing leads to may be done any number of times."""
    hub = context.place("hub")
    node = context.node
    assert node is not None
    build.rule(None, (before,), (*active, hub), node.id)
    for first in first_nodes(context.scope):
        build.rule(None, (hub,), (context.entry(first.id),), node.id)
    if not active:
        build.rule(None, (hub,), (context.after,), node.id)
    if not context.scope.sequential and context.scope.flows:
        build.remark(node, "What it holds is done one after the other, never at the same time.")


def _once(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    if node.kind in SUB_PROCESSES and not build.sketch:
        _sub_process(build, node, context, before, after)
    else:
        _task(build, node, context, before, after)


def _task(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    """A task is interrupted before its event or right after: both are seen in logs."""
    boundary = context.boundary(node.id)
    remembered = memory_of(node, context)
    if not boundary and not remembered:
        build.rule(node.label, (before,), (after,), node.id)
        return
    done = context.fresh(f"done {node.id}")
    beside = [event for event in boundary if not event.interrupting]
    active = context.fresh(f"active {node.id}") if beside else before
    if beside:
        build.rule(None, (before,), (active,), node.id)
    fired = {event.id: context.fresh(f"fired {event.id}") for event in beside}
    context.memory += fired.values()
    gone = frozenset((*fired.values(), *remembered))
    label = None if build.sketch else node.label
    into = (done, *remembered)
    build.rules.append(Rule(label, (active,), into, node.id, context.key, clear=gone))
    build.rule(None, (done,), (after,), node.id)
    for event in boundary:
        entry = context.entry(event.id)
        if event.interrupting:
            build.rule(None, (done,), (entry,), event.id)
            rule = Rule(None, (active,), (entry,), event.id, context.key)
            build.rules.append(replace(rule, clear=frozenset(fired.values())))
        else:
            _beside(build, event, context, (active,), fired[event.id])


def _beside(
    build: Builder, event: Node, context: Context, active: tuple[str, ...], fired: str
) -> None:
    """A boundary event that does not interrupt: once, or again when what it began is over."""
    entry = context.entry(event.id)
    if not happens_again(event):
        after = (*active, entry, fired)
        empty = frozenset({fired})
        build.rules.append(Rule(None, active, after, event.id, context.key, empty=empty))
        return
    text = "It may happen again only when what it began before is over."
    build.remark(event, text)
    own = _own_ways(event, context)

    def late() -> None:
        rule = Rule(None, active, (*active, entry), event.id, context.key)
        build.rules.append(replace(rule, empty=_places_of(own, context) | {entry}))

    build.last.append(late)


def _own_ways(event: Node, context: Context) -> set[str]:
    """The nodes that only this event leads to."""
    own = {event.id}
    changed = True
    while changed:
        new = {
            flow.target
            for flow in context.scope.flows
            if flow.source in own
            and flow.target not in own
            and all(other.source in own for other in context.incoming[flow.target])
        }
        new |= {b.id for name in own for b in context.boundary(name)} - own
        own |= new
        changed = bool(new)
    return own


def _places_of(nodes: set[str], context: Context) -> frozenset[str]:
    flows = {context.flow(flow) for name in nodes for flow in context.outgoing[name]}
    names = {place: place.removeprefix(context.key + "/").split(" ") for place in context.places}
    found = flows | {place for place, words in names.items() if words[1:2] and words[1] in nodes}
    inner = [child for child in context.children if child.node and child.node.id in nodes]
    return frozenset(found.union(*(child.region() for child in inner)) - set(context.memory))


def _sub_process(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    assert node.inner is not None
    made = Context("", node.inner, context, node, after)
    inner = build.context(node.id, made)
    boundary = context.boundary(node.id)
    inner.extended = bool(boundary) or needs_marker(build, inner) or not build.ends_well(inner)
    build.content(inner, before)
    for event in boundary:
        _on_sub_process(build, event, inner)


def _on_sub_process(build: Builder, event: Node, inner: Context) -> None:
    context = inner.parent
    assert context is not None

    def interrupt() -> None:
        if event.id in build.caught:
            return
        for alive in inner.alive:
            rule = Rule(None, (alive,), (context.entry(event.id),), event.id, inner.key)
            build.rules.append(replace(rule, clear=inner.region()))

    if event.interrupting:
        build.last.append(interrupt)
    elif kind_of(event) != "escalation":
        fired = inner.fresh(f"fired {event.id}")
        inner.memory.append(fired)
        for alive in inner.alive:
            if happens_again(event):
                _beside(build, event, context, (alive,), fired)
                continue
            after = (alive, fired, context.entry(event.id))
            rule = Rule(None, (alive,), after, event.id, inner.key, empty=frozenset({fired}))
            build.rules.append(rule)


def _called(build: Builder, node: Node, context: Context) -> Node:
    process = build.processes.get(node.called)
    if process is None or build.sketch:
        return node
    above: Context | None = context
    while above is not None:
        if above.scope.id == process.id:
            build.remark(
                node, f"It calls {process.id!r}, in which it lies; it is one activity here."
            )
            return node
        above = above.parent
    return replace(node, kind="subProcess", inner=process.scope)
