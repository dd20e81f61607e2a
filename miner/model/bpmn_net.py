"""From BPMN 2.0 to the one workflow net."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

from miner.errors import ModelError, UnknownNameError
from miner.model.bpmn import EVENTS, Document, Node, Process, Scope, parse_bpmn
from miner.model.bpmn_builder import Builder
from miner.model.bpmn_rules import Context, Rule, kind_of
from miner.model.bpmn_states import MOST_STATES, expanded
from miner.model.process_model import ProcessModel
from miner.model.translation import Remark, Seen, Translation
from miner.model.workflow_net import Step, net_of

_SOURCE, _SINK = "source", "sink"
_MOST_SUBSETS = 5


def read_bpmn(
    text: str,
    *,
    name: str = "model",
    version: str | None = None,
    process: str | None = None,
    events: bool | Seen = False,
) -> Translation:
    """The net of a process in a BPMN 2.0 document, and remarks on what it cannot say exactly.

    Tasks and calls leave an event each, named as they are or by their id; calls of a process in the
    same document are replaced by what it does. With `events`, named events do as well; where it
    says what a log tells of, those of which it does, and where it does by id, all events of the
    same kind and trigger. Calls of which a log tells are not replaced.

    A task with an interrupting boundary event may be interrupted before its event or right after,
    since logs differ in this; what runs when an end terminates all or an error ends the case may
    still end before. Conditions and times are not evaluated: a choice stays a choice.

    Inclusive gateways, ends of several tokens, interrupted sub-processes and the like follow the
    standard's rules token by token; where no structure shows a net for them, the part has a place
    for each of its states, up to 20,000. Of larger parts the net allows more, and a remark says so.

    `process` is the id or name of the one to read. By default it is the one with the id `name`,
    else the executable one that no other calls; all others get a remark. Raises ModelError for
    documents that cannot be used, and UnknownNameError when `process` is not there.

    Source: OMG, Business Process Model and Notation 2.0.2 (2014), chapter 13.
    """
    document = parse_bpmn(text)
    chosen = _chosen(document, name if process is None and name in document.processes else process)
    build = Builder(document.processes, _leaving(events, document))
    build.process(chosen, _SOURCE, _SINK)
    net = net_of(list(_steps(build)), _SOURCE, _SINK)
    remarks = [*document.remarks, *build.remarks, *_left_out(document, chosen, build)]
    if any(flow.conditional for context in build.contexts for flow in context.scope.flows):
        said = "Conditions are not evaluated: every way of a choice may be taken."
        remarks.append(Remark(None, "conditionExpression", said))
    model = ProcessModel(name, net, "bpmn", text, None, version)
    return Translation(model, tuple(remarks))


def _leaving(events: bool | Seen, document: Document) -> Callable[[Node], bool]:
    """Which events leave one, and which calls stay calls."""
    if not callable(events):
        return lambda node: events and node.kind in EVENTS and bool(node.name)
    nodes = [node for process in document.processes.values() for node in _within(process.scope)]
    found = {node.id: events(node.label, node.id) for node in nodes}
    names = {node.label for node in nodes if node.kind not in EVENTS}
    recorded = {(node.kind, kind_of(node)) for node in nodes if found[node.id] == "id"}

    def leaves(node: Node) -> bool:
        if node.kind not in EVENTS:
            return found[node.id] is not None
        named = found[node.id] == "name" and node.label not in names
        return named or (node.kind, kind_of(node)) in recorded

    return leaves


def _within(scope: Scope) -> Iterator[Node]:
    for node in scope.nodes.values():
        yield node
        if node.inner is not None:
            yield from _within(node.inner)


def _chosen(document: Document, name: str | None) -> Process:
    processes = document.processes
    if name is not None:
        for process in processes.values():
            if name in (process.id, process.name):
                return process
        raise UnknownNameError("process in this document", name, list(processes))
    drawn = [process for process in processes.values() if process.scope.nodes]
    if not drawn:
        raise ModelError(
            "No process of the BPMN document has elements.",
            hint="Draw at least a start event, a task and an end event.",
        )
    called = {
        node.called for process in drawn for node in process.scope.nodes.values() if node.called
    }
    return max(drawn, key=lambda p: (p.executable, p.id not in called))


def _left_out(document: Document, chosen: Process, build: Builder) -> Iterator[Remark]:
    read = {context.scope.id for context in build.contexts}
    for process in document.processes.values():
        if process is not chosen and process.id not in read and process.scope.nodes:
            label = process.name or process.id
            text = (
                f"The process {label!r} of another pool is not part of this model; read it by id."
            )
            yield Remark(process.id, "process", text)


def _steps(build: Builder) -> Iterator[Step]:
    """The rules as steps of a net, with states for the scopes that need them."""
    guarded = {rule.within for rule in build.rules if rule.guarded}
    needed = [context for context in build.contexts if context.key in guarded]
    outermost = [context for context in needed if not _above(context, needed)]
    region_of = {place: context.key for context in outermost for place in context.region()}
    by_region: dict[str, list[Rule]] = {context.key: [] for context in outermost}
    for rule in build.rules:
        around = (*rule.before, *rule.after, *rule.some_of)
        key = next((region_of[place] for place in around if place in region_of), None)
        if key is None:
            yield Step(rule.label, rule.before, rule.after, rule.element_id)
        else:
            by_region[key].append(rule)
    for context in outermost:
        markers = [place for inner in build.contexts for place in inner.alive]
        rules = by_region[context.key]
        steps = expanded(rules, context.region(), context.key, markers)
        yield from _loosened(build, context, rules) if steps is None else steps


def _above(context: Context, others: Iterable[Context]) -> bool:
    above = context.parent
    while above is not None:
        if above in others:
            return True
        above = above.parent
    return False


def _loosened(build: Builder, context: Context, rules: Iterable[Rule]) -> Iterator[Step]:
    """Steps that do at least what the rules do."""
    text = (
        f"{context.scope.id!r} can be in more than {MOST_STATES:,} states; the net allows more "
        "than the model where inclusive gateways join, where it is interrupted and where it ends, "
        "and does not tell whether the model is sound."
    )
    build.remark(context.node, text, "process" if context.node is None else "")
    stopped = f"{context.key} stopped"
    cleared: set[str] = set()
    for rule in rules:
        after = (*rule.after, stopped) if rule.clear else rule.after
        cleared |= rule.clear
        for some in _some_of(rule.some_of):
            yield Step(rule.label, (*rule.before, *some), after, rule.element_id)
    for place in sorted(cleared):
        yield Step(None, (place, stopped), (stopped,))
    for place in [stopped, *(place for inner in build.contexts for place in inner.memory)]:
        yield Step(None, (place,), ())


def _some_of(places: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The ways to take from some of the places, one way when there are none."""
    few = len(places) <= _MOST_SUBSETS
    for size in range(1, len(places) + 1) if few else (1, 2, len(places)):
        yield from combinations(places, size)
    if not places:
        yield ()
