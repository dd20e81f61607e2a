"""Events that end, interrupt or undo what goes on, and what catches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from miner.errors import ModelError
from miner.model.bpmn import Node, Scope, Trigger
from miner.model.bpmn_rules import Context, Rule, kind_of, start_events

if TYPE_CHECKING:
    from miner.model.bpmn_builder import Builder

_THROWING = ("endEvent", "intermediateThrowEvent")
_BREAKING = ("error", "cancel", "terminate", "compensate")


def needs_marker(build: Builder, context: Context) -> bool:
    """Whether it has to be known of a scope whether it is active, and when all of it is over."""
    if build.sketch:
        return False
    scope = context.scope
    if context.event_sub_processes() or scope.handlers_used():
        return True
    beside = (n for n in scope.nodes.values() if n.kind == "boundaryEvent" and not n.interrupting)
    if any(kind_of(event) != "compensate" for event in beside):
        return True
    inside = [n.inner for n in scope.nodes.values() if n.inner is not None and not n.by_event]
    called = (build.processes.get(node.called) for node in scope.nodes.values())
    inside += [process.scope for process in called if process is not None]
    return any(_breaks(inner) for inner in inside)


def _breaks(scope: Scope) -> bool:
    """Whether something is thrown within that a scope around it may have to catch."""
    return any(
        (node.kind in _THROWING and kind_of(node) in ("error", "cancel", "escalation"))
        or (node.inner is not None and _breaks(node.inner))
        for node in scope.nodes.values()
    )


def happens_again(event: Node) -> bool:
    """Whether an event beside an activity can happen more than once."""
    return not (event.triggers and all(t.kind == "timer" and t.once for t in event.triggers))


def link_targets(node: Node, scope: Scope) -> list[str]:
    """The events that a link leads to; raises ModelError when there is none."""
    if node.kind != "intermediateThrowEvent" or kind_of(node) != "link":
        return []
    code = node.triggers[0].code
    found = [
        other.id
        for other in scope.nodes.values()
        if other.kind == "intermediateCatchEvent"
        and kind_of(other) == "link"
        and other.triggers[0].code == code
    ]
    if not found:
        raise ModelError(
            f"The link {code!r} of {node.id!r} leads nowhere in {scope.id!r}.",
            hint="Add a catching link event with that name.",
        )
    return found


def completion(build: Builder, context: Context) -> None:
    """Add that a scope is over as soon as nothing in it is left."""

    def late() -> None:
        ad_hoc = context.node is not None and context.node.kind == "adHocSubProcess"
        hub = [context.place("hub")] if ad_hoc else []
        region = context.region()
        rest = region.difference(context.alive, context.memory, hub)
        for alive in context.alive:
            before = (alive, *hub)
            rule = Rule(None, before, (context.after,), context.scope.id, context.key, rest, region)
            build.rules.append(replace(rule, urgent=not ad_hoc))

    build.last.append(late)


def event_sub_process(build: Builder, node: Node, context: Context) -> None:
    """Add a sub-process that an event starts while the one around it is active."""
    assert node.inner is not None
    inner = build.context(node.id, Context("", node.inner, context, node, handles=True))
    waiting = inner.place("into")
    build.content(inner, waiting)
    starts = start_events(node.inner)
    interrupting = all(start.interrupting for start in starts)
    if interrupting:
        inner_alive = context.place("handling")
        context.alive += [inner_alive] * (inner_alive not in context.alive)
    active = context.place("active")

    def late() -> None:
        if node.id in build.caught:
            return
        if interrupting:
            after = (context.place("handling"), waiting)
            rule = Rule(None, (active,), after, node.id, context.key, clear=context.region())
        else:
            rule = Rule(None, (active,), (active, waiting), node.id, context.key, inner.region())
        build.rules.append(rule)

    if not interrupting:
        build.remark(node, "It may start again only when what it began before is over.")
    build.last.append(late)


def throw(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    """Add what an event does that throws, between two places."""
    for trigger in node.triggers[:1]:
        late = partial(_thrown, build, node, context, trigger, before, after)
        if trigger.kind == "link":
            for target in link_targets(node, context.scope):
                build.rule(None, (before,), (context.entry(target),), node.id)
        elif build.sketch or trigger.kind not in (*_BREAKING, "escalation"):
            build.rule(None, (before,), (after,), node.id)
        elif trigger.kind == "compensate":
            compensation(build, node, context, before, after)
        else:
            if trigger.kind == "cancel":
                undone = context.fresh(f"undone {node.id}")
                compensation(build, node, context, before, undone)
                late = partial(_thrown, build, node, context, trigger, undone, after)
            build.thrown.append(late)


def _thrown(
    build: Builder, node: Node, context: Context, trigger: Trigger, before: str, after: str
) -> None:
    caught = None if trigger.kind == "terminate" else _catcher(context, trigger)
    if caught is not None:
        scope, event = caught
        build.caught.add(event.id)
        _catch(build, node, scope, event, before, after)
    elif trigger.kind == "escalation":
        build.rule(None, (before,), (after,), node.id)
    else:
        if trigger.kind != "terminate":
            while context.parent is not None:  # an error that nobody catches ends the case
                context = context.parent
        _terminate(build, node, context, before)


def _terminate(build: Builder, node: Node, context: Context, before: str) -> None:
    if context.handles:
        rule = Rule(None, (before,), (), node.id, context.key, clear=context.region())
        build.rules.append(rule)
    elif not context.extended:
        build.rule(None, (before,), (context.after,), node.id)
    for alive in context.alive:
        rule = Rule(None, (before, alive), (context.after,), node.id, context.key)
        build.rules.append(replace(rule, clear=context.region()))


def _catcher(context: Context, trigger: Trigger) -> tuple[Context, Node] | None:
    """The innermost event or event sub-process that catches, and the scope that it is about."""
    scope: Context | None = context
    came_from_handler = False
    while scope is not None:
        if not scope.handles:
            for node in [] if came_from_handler else scope.event_sub_processes():
                assert node.inner is not None
                if any(_matches(start, trigger) for start in start_events(node.inner)):
                    return scope, node
            if scope.node is not None and scope.parent is not None:
                for event in scope.parent.boundary(scope.node.id):
                    if _matches(event, trigger):
                        return scope, event
        came_from_handler = scope.handles
        scope = scope.parent
    return None


def _matches(event: Node, trigger: Trigger) -> bool:
    codes = [own.code for own in event.triggers if own.kind == trigger.kind]
    return any(not code or code == trigger.code for code in codes)


def _catch(
    build: Builder, node: Node, scope: Context, event: Node, before: str, after: str
) -> None:
    if event.by_event:
        inner = next(child for child in scope.children if child.node is event)
        starts = start_events(inner.scope)
        interrupting = all(start.interrupting for start in starts)
        ways = [(scope.place("active"), inner.place("into"), scope.place("handling"))]
    else:
        assert scope.parent is not None
        interrupting = event.interrupting
        ways = [(alive, scope.parent.entry(event.id), alive) for alive in scope.alive]
    for alive, entry, later in ways:
        if not interrupting:
            build.rule(None, (before, alive), (after, alive, entry), node.id)
            continue
        kept = (later,) if event.by_event else ()
        rule = Rule(None, (before, alive), (*kept, entry), node.id, scope.key)
        build.rules.append(replace(rule, clear=scope.region()))


def memory_of(node: Node, context: Context) -> tuple[str, ...]:
    """The place that remembers that a node was done, if something can undo it."""
    for event in context.attached[node.id]:
        if kind_of(event) == "compensate":
            place = context.place(f"remembered {node.id}")
            if place not in context.memory:
                context.memory.append(place)
            return (place,)
    return ()


def compensation(build: Builder, node: Node, context: Context, before: str, after: str) -> None:
    """Add that what was done is undone, each thing once, in any order."""
    from miner.model.bpmn_activities import activity

    about = context.parent if context.handles and context.parent is not None else context
    found = list(_handlers(about, node.triggers[0].code if kind_of(node) == "compensate" else ""))
    if not found:
        build.remark(node, "Nothing beside it can be compensated, so it does nothing.")
        build.rule(None, (before,), (after,), node.id)
        return
    if len(found) > 1:
        build.remark(node, "What was done is undone in any order, not only in the reverse one.")
    begun = [context.fresh(f"undo {node.id}") for _ in found]
    ended = [context.fresh(f"undone {node.id}") for _ in found]
    build.rule(None, (before,), tuple(begun), node.id)
    build.rule(None, tuple(ended), (after,), node.id)
    for (done, handler), start, end in zip(found, begun, ended, strict=True):
        (place,) = memory_of(done, about)
        entry = context.fresh(f"undoing {done.id}")
        build.rule(None, (start, place), (entry,), node.id)
        skip = Rule(None, (start,), (end,), node.id, about.key, empty=frozenset({place}))
        build.rules.append(skip)
        activity(build, handler, context, entry, end)


def _handlers(context: Context, code: str) -> Iterator[tuple[Node, Node]]:
    """The activities that can be undone, and what undoes them, last drawn first."""
    nodes = context.scope.nodes
    for event in reversed(list(nodes.values())):
        handler = nodes.get(context.scope.handlers.get(event.id, ""))
        wanted = kind_of(event) == "compensate" and code in ("", event.attached_to)
        if wanted and handler is not None and event.attached_to in nodes:
            yield nodes[event.attached_to], handler
