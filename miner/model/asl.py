"""AWS Step Functions: definitions in the Amazon States Language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from miner.model.asl_scopes import Scope, Scopes
from miner.model.definition_text import DEEPEST, Part, json_part
from miner.model.flow_steps import SINK, SOURCE, Flow
from miner.model.translation import Remark, Translation

_ONE_NEXT = ("Task", "Pass", "Wait", "Parallel", "Map")
_KINDS = (*_ONE_NEXT, "Choice", "Succeed", "Fail")
_CATCHING = ("Task", "Parallel", "Map")
_EVERY_ERROR = "States.ALL"


def read_asl(text: str, *, name: str, version: str | None = None) -> Translation:
    """The net of a state machine: an activity for each state, of whatever type.

    The label and the element id of a transition are the name of the state, which the histories of
    executions give as activity. A state fires when it ends, so Parallel and Map states come after
    what is inside them. Retries of a state are no activities of their own; after the first attempt
    at a Parallel or Map state, what is inside it may be done again. An error that is caught leaves
    the block around it at any point: what runs beside it may still end, and nothing new begins. The
    net ends in Succeed states, in `End` and in Fail states that nothing catches; errors that nobody
    modelled are not in it. Iterations of a Map state are the same states again; a distributed one
    has executions of its own for them.

    Raises ModelError when the text is no definition, naming the place in it.

    Source: Amazon States Language, https://states-language.net/spec.html.
    """
    flow = Flow("ASL definition")
    _Machine(flow).body(json_part(text, "ASL definition"), SOURCE, SINK, Scopes())
    return flow.translation(name, "asl", text, version)


@dataclass(frozen=True)
class _Place:
    """Where a state stands: the places of its siblings, the end of its branch, what is around."""

    inside: dict[str, str]
    after: str
    scopes: Scopes
    depth: int


class _Machine:
    """The states of one definition, written down as steps of one flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.names: set[str] = set()

    def body(self, machine: Part, before: str, after: str, scopes: Scopes, depth: int = 0) -> None:
        """The states of a state machine, a branch or an item processor."""
        if depth > DEEPEST:
            machine.refuse(f"is nested deeper than {DEEPEST} blocks")
        states = machine.need("States").fields()
        start = _known(machine.need("StartAt"), states)
        self._name(states)
        place = _Place({name: self.flow.place() for name in states}, after, scopes, depth)
        self.flow.step(before, place.inside[start])
        reached = _reached(states, start)
        for name, state in states.items():
            if name in reached:
                scopes.cancel(self.flow, place.inside[name], after)
                self._state(name, state, place)
            else:
                text = "No state leads to it; it is left out."
                self.flow.remark(name, _kind(state), text)

    def _name(self, states: dict[str, Part]) -> None:
        for name, state in states.items():
            self.flow.element()
            if name in self.names:
                state.refuse(f"has the name {name!r}, which another state has too")
            self.names.add(name)

    def _state(self, name: str, state: Part, place: _Place) -> None:
        match _kind(state):
            case "Parallel":
                self._parallel(name, state, place)
            case "Map":
                self._map(name, state, place)
            case kind:
                self._simple(name, state, kind, place)

    def _simple(self, name: str, state: Part, kind: str, place: _Place) -> None:
        if kind == "Fail":
            place.scopes.fail(self.flow, place.inside[name], place.after, name)
            return
        out = self.flow.place()
        self.flow.step(place.inside[name], out, name, name)
        place.scopes.cancel(self.flow, out, place.after)
        for target in (*_targets(state), *_handlers(state)):
            self._go(out, target, place)
        if kind == "Succeed" or _ends(state):
            place.scopes.forward(self.flow, out, place.after)

    def _go(self, out: str, target: Part, place: _Place, taken: tuple[str, ...] = ()) -> None:
        to = place.inside[_known(target, place.inside)]
        place.scopes.forward(self.flow, (out, *taken), to)

    def _parallel(self, name: str, state: Part, place: _Place) -> None:
        branches = state.need("Branches").items()
        if not branches:
            state.refuse("has no branches")
        starts, ends = self.flow.places(len(branches)), self.flow.places(len(branches))
        scope = self._scope(state, branches, place)
        for branch, start, end in zip(branches, starts, ends, strict=True):
            self.body(branch, start, end, scope.within(place.scopes), place.depth + 1)
        self._around(name, state, place, scope, starts, ends)

    def _map(self, name: str, state: Part, place: _Place) -> None:
        body = state.get("ItemProcessor") or state.need("Iterator")
        config = body.get("ProcessorConfig")
        mode = config.get("Mode") if config else None
        if mode is not None and mode.text() == "DISTRIBUTED":
            text = "Its items run as executions of their own, which are other cases."
            self.flow.remark(name, "Map", text)
            self._check_aside(body, place.depth)
            self._simple(name, state, "Map", place)
            return
        text = "How many items there were is not checked."
        self.flow.remark(name, "Map", text)
        labels = [each for each, _ in _states_within(body, place.depth)]
        most = state.get("MaxConcurrency")
        loop = (self.flow.place(),)
        if most is not None and most.value == 1:
            scope = self._scope(state, [body], place)
            within = scope.within(place.scopes)
            start, end = self.flow.places(2)
            within.forward(self.flow, loop[0], start)
            self.body(body, start, end, within, place.depth + 1)
            self.flow.step(end, loop)
        else:
            scope = Scope.none(self._fails([body], state, place.depth))
            for remark in self._check_aside(body, place.depth):
                self.flow.remark(remark.element_id, remark.element, remark.text)
            for label in labels:
                self.flow.step(loop, loop, label, label)
            if len(labels) > 1:
                text = "Its items run side by side; the order of states in them is not checked."
                self.flow.remark(name, "Map", text)
        self._around(name, state, place, scope, loop, loop)

    def _check_aside(self, body: Part, depth: int) -> list[Remark]:
        """Look for mistakes in states that the net has no order for."""
        aside = Flow(self.flow.language, elements=self.flow.elements)
        machine = _Machine(aside)
        machine.names = self.names
        machine.body(body, SOURCE, SINK, Scopes(), depth + 1)
        self.flow.elements = aside.elements
        return aside.remarks

    def _scope(self, state: Part, bodies: list[Part], place: _Place) -> Scope:
        handled = bool(state.list_of("Catch"))
        fails = self._fails(bodies, state, place.depth)
        return Scope.around(self.flow, place.scopes, handled, _retries(state), fails)

    def _fails(self, bodies: list[Part], state: Part, depth: int) -> bool:
        """Whether a Fail state inside may end in an error that the state does not catch."""
        caught = {error for each in state.list_of("Catch") for error in _errors(each)}
        for body in bodies:
            for _, inner in _states_within(body, depth):
                if _kind(inner) == "Fail" and _EVERY_ERROR not in caught:
                    error = inner.get("Error")
                    if error is None or error.text() not in caught:
                        return True
        return False

    def _around(
        self,
        name: str,
        state: Part,
        place: _Place,
        scope: Scope,
        starts: tuple[str, ...],
        ends: tuple[str, ...],
    ) -> None:
        """A Parallel or Map state: its begin, its end, and where it goes on from there."""
        out = self.flow.place()
        starts, ends = (place.inside[name], *starts), (*ends, out)
        retried = _retries(state)
        scope.enclose(self.flow, place.scopes, starts, ends, (name, name), retried)
        if retried:
            text = "How often its branches are tried again is not checked."
            self.flow.remark(name, _kind(state), text)
        for target in _targets(state):
            self._go(out, target, place, scope.running)
        if _ends(state):
            place.scopes.forward(self.flow, (out, *scope.running), place.after)
        for target in _handlers(state):
            self._go(out, target, place, scope.failing)
        unhandled = not any(_EVERY_ERROR in _errors(each) for each in state.list_of("Catch"))
        if scope.fails or (place.scopes.caught and unhandled):
            place.scopes.fail(self.flow, (out, *scope.failing), place.after)
        place.scopes.cancel(self.flow, (out, *scope.running), place.after)
        if scope.failing:
            place.scopes.cancel(self.flow, (out, *scope.failing), place.after)


def _kind(state: Part) -> str:
    kind = state.need("Type").text()
    if kind not in _KINDS:
        state.refuse(f"is of type {kind!r}, which no state is", f"Types: {', '.join(_KINDS)}.")
    if kind not in _CATCHING and (state.get("Catch") or state.get("Retry")):
        state.refuse(f"has Retry or Catch, which a {kind} state cannot have")
    return kind


def _known(target: Part, states: dict[str, Any]) -> str:
    name = target.text()
    if name not in states:
        target.refuse(f"leads to {name!r}, but there is no such state beside it")
    return name


def _targets(state: Part) -> list[Part]:
    """Where a state leads when it succeeds, as the definition names them."""
    kind, following = _kind(state), state.get("Next")
    if kind == "Choice":
        choices = state.need("Choices").items()
        if not choices:
            state.refuse("has no choices")
        default = state.get("Default")
        return [each.need("Next") for each in choices] + ([default] if default else [])
    if kind in _ONE_NEXT:
        if (following is None) == (not _ends(state)):
            state.refuse("has to have either Next or End")
        return [following] if following else []
    return []


def _ends(state: Part) -> bool:
    end = state.get("End")
    if end is not None and not isinstance(end.value, bool):
        end.refuse("has to be true or false")
    return end is not None and end.value is True


def _handlers(state: Part) -> list[Part]:
    for each in state.list_of("Catch"):
        _errors(each)
    return [each.need("Next") for each in state.list_of("Catch")]


def _errors(catcher: Part) -> set[str]:
    return {each.text() for each in catcher.need("ErrorEquals").items()}


def _retries(state: Part) -> bool:
    most = [each.get("MaxAttempts") for each in state.list_of("Retry")]
    return any(each is None or each.value != 0 for each in most)


def _reached(states: dict[str, Part], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        state = states[waiting.pop()]
        for target in (*_targets(state), *_handlers(state)):
            name = _known(target, states)
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _states_within(body: Part, depth: int) -> Iterator[tuple[str, Part]]:
    """States that can be reached at any depth, but for those of distributed maps."""
    if depth > DEEPEST:
        body.refuse(f"is nested deeper than {DEEPEST} blocks")
    states = body.need("States").fields()
    reached = _reached(states, _known(body.need("StartAt"), states))
    for name, state in states.items():
        if name not in reached:
            continue
        yield name, state
        inner = state.list_of("Branches") if _kind(state) == "Parallel" else []
        if _kind(state) == "Map":
            processor = state.get("ItemProcessor") or state.need("Iterator")
            config = processor.get("ProcessorConfig")
            mode = config.get("Mode") if config else None
            inner = [] if mode is not None and mode.value == "DISTRIBUTED" else [processor]
        for each in inner:
            yield from _states_within(each, depth + 1)
