"""Azure Logic Apps: definitions in the Workflow Definition Language."""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from miner.model.definition_text import DEEPEST, Part, json_part
from miner.model.flow_steps import SINK, SOURCE, Flow
from miner.model.translation import Translation

SUCCEEDED, FAILED, TIMED_OUT, SKIPPED = "Succeeded", "Failed", "TimedOut", "Skipped"
_STATUSES = (SUCCEEDED, FAILED, TIMED_OUT, SKIPPED)
_BLOCKS = ("if", "switch", "scope", "foreach", "until")


def read_logic_apps(text: str, *, name: str, version: str | None = None) -> Translation:
    """The net of a logic app: an activity for each action that is no block of actions.

    Label and element id are the name of the action; If, Switch, Scope, Foreach, Until and Terminate
    are silent, and so are actions that are skipped. An action runs when all those it runs after
    have ended with one of the statuses that it names, else it is skipped. Actions fail only where
    something runs after that failure, of the action or of a block around it: failures that nobody
    modelled are not in the net. After Terminate nothing new begins; what runs may end. Retries are
    attempts of one activity instance. Triggers leave no event of their own.

    Raises ModelError when the text is no definition, naming the place in it.

    Source: Schema reference guide for the Workflow Definition Language in Azure Logic Apps.
    """
    part = json_part(text, "logic app")
    for wrapping in ("properties", "definition"):
        part = part.get(wrapping) or part
    flow = Flow("logic app")
    net = _Actions(flow, _has_terminate(part.value))
    begin, end = flow.places(2)
    for trigger in (part.get("triggers") or Part({})).fields() or [None]:
        flow.step(SOURCE, (begin, *net.alive), None, trigger)
    net.block(part.need("actions"), begin, end, _Around())
    for state in (net.alive, net.dead) if net.alive else ((),):
        flow.step((end, *state), SINK)
    return flow.translation(name, "logic-apps", text, version)


@dataclass(frozen=True)
class _Around:
    """What is around actions: whether failures count, and where a failure is noted."""

    handled: bool = False
    flag: tuple[str, ...] = ()
    """Of the block around, the places that say that nothing has failed, or something has."""
    depth: int = 0


@dataclass
class _Action:
    name: str
    part: Part
    after: dict[str, frozenset[str]]
    """The statuses with which each action before it may have ended."""
    following: list[_Action] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    """How it may end."""

    @property
    def kind(self) -> str:
        """Its type in small letters, as Logic Apps compares it."""
        return self.part.need("type").text().lower()


class _Actions:
    """Actions of all blocks, written down as steps of one flow."""

    def __init__(self, flow: Flow, terminates: bool) -> None:
        self.flow = flow
        self.alive = flow.places(1) if terminates else ()
        self.dead = flow.places(1) if terminates else ()
        self.names: set[str] = set()

    def block(self, part: Part, before: str, after: str, around: _Around) -> None:
        """Actions that wait for each other, from one place to another."""
        if around.depth > DEEPEST:
            part.refuse(f"is nested deeper than {DEEPEST} blocks")
        actions = self._sorted(part)
        yes: dict[tuple[str, str], str] = {}
        no: dict[tuple[str, str], str] = {}
        begins: list[str] = []
        ends: list[str] = []
        for action in actions:
            self._statuses(action, actions, around)
            for before_it in action.after:
                yes[before_it, action.name] = self.flow.place()
                no[before_it, action.name] = self.flow.place()
        for action in actions:
            run, skip = self.flow.places(2)
            begins += self._begin(action, run, skip, yes, no)
            outs = {status: self.flow.place() for status in _STATUSES}
            self._run(action, run, outs, around)
            self.flow.step(skip, outs[SKIPPED])
            if not action.following:
                ends.append(f"end of {action.name}")
            for status in action.statuses:
                ways = [
                    (yes if status in each.after[action.name] else no)[action.name, each.name]
                    for each in action.following
                ]
                self._end(action, outs[status], ways or ends[-1:], status, around)
        self.flow.step(before, begins or after)
        if ends:
            self.flow.step(ends, after)

    def _sorted(self, part: Part) -> list[_Action]:
        found: dict[str, _Action] = {}
        for name, each in part.fields().items():
            self.flow.element()
            if name in self.names:
                each.refuse(f"has the name {name!r}, which another action has too")
            self.names.add(name)
            found[name] = _Action(name, each, _after(each))
        for action in found.values():
            for name in action.after:
                if name not in found:
                    action.part.refuse(f"runs after {name!r}, but there is no such action beside")
                found[name].following.append(action)
        try:
            order = list(TopologicalSorter({n: a.after for n, a in found.items()}).static_order())
        except CycleError as error:
            part.refuse(f"goes round in a circle: {' > '.join(error.args[1][:5])}")
        return [found[name] for name in order]

    def _statuses(self, action: _Action, actions: list[_Action], around: _Around) -> None:
        """How it may end; those it runs after know that already."""
        before = {each.name: each for each in actions if each.name in action.after}
        skippable = bool(self.alive) or any(
            set(before[name].statuses) - statuses for name, statuses in action.after.items()
        )
        failing = {FAILED, TIMED_OUT}
        handled = around.handled or any(
            failing & each.after[action.name] for each in action.following
        )
        action.statuses = [SUCCEEDED, *([FAILED, TIMED_OUT] if handled else [])]
        action.statuses += [SKIPPED] if skippable else []

    def _begin(
        self,
        action: _Action,
        run: str,
        skip: str,
        yes: dict[tuple[str, str], str],
        no: dict[tuple[str, str], str],
    ) -> list[str]:
        """Wait for those before it; returns the places to mark when the block begins."""
        flow, ways = self.flow, [(name, action.name) for name in action.after]
        if not ways:
            return [run]
        if len(ways) == 1:
            flow.step(yes[ways[0]], run)
            flow.step(no[ways[0]], skip)
            return []
        fine, other = flow.places(2)
        gathered = flow.places(len(ways))
        for way, got in zip(ways, gathered, strict=True):
            flow.step(yes[way], got)
            for state in (fine, other):
                flow.step((no[way], state), (got, other))
        flow.step((*gathered, fine), run)
        flow.step((*gathered, other), skip)
        return [fine]

    def _run(self, action: _Action, run: str, outs: dict[str, str], around: _Around) -> None:
        flow, begun = self.flow, self.flow.place()
        if self.alive:
            flow.step((run, *self.dead), (outs[SKIPPED], *self.dead))
        if action.kind == "terminate":
            flow.step((run, *self.alive), (outs[SKIPPED], *self.dead), None, action.name)
            return
        flow.step((run, *self.alive), (begun, *self.alive))
        handled = FAILED in action.statuses
        if action.kind not in _BLOCKS:
            done = flow.place()
            flow.step(begun, done, action.name, action.name)
            if self.alive:
                flow.step((begun, *self.dead), (outs[SKIPPED], *self.dead))
            self._endings(done, outs, handled)
            return
        flag = flow.places(2) if handled else ()
        start, end = flow.places(2)
        flow.step(begun, (start, *flag[:1]), None, action.name)
        inside = _Around(handled, flag, around.depth + 1)
        self._inside(action, start, end, inside)
        if not flag:
            flow.step(end, outs[SUCCEEDED])
            return
        over = flow.place()
        flow.step((end, flag[0]), outs[SUCCEEDED])
        flow.step((end, flag[1]), over)
        flow.step(over, outs[FAILED])
        flow.step(over, outs[TIMED_OUT])

    def _endings(self, done: str, outs: dict[str, str], handled: bool) -> None:
        for status in (SUCCEEDED, FAILED, TIMED_OUT) if handled else (SUCCEEDED,):
            self.flow.step(done, outs[status])

    def _end(
        self, action: _Action, out: str, ways: list[str], status: str, around: _Around
    ) -> None:
        """Go on after an action ended; what nothing runs after fails the block around it.

        Where some run after the failure and others do not, the block may fail or not.
        """
        caring = [status in each.after[action.name] for each in action.following]
        if status not in (FAILED, TIMED_OUT) or not around.flag or (caring and all(caring)):
            self.flow.step(out, ways)
            return
        fine, failed = around.flag
        for state in (fine, failed):
            self.flow.step((out, state), (*ways, failed))
        if any(caring):
            self.flow.step(out, ways)
            text = "After its failure, the block around it may end either way."
            self.flow.remark(action.name, action.kind, text)

    def _inside(self, action: _Action, start: str, end: str, around: _Around) -> None:
        part = action.part
        match action.kind:
            case "if":
                otherwise = part.get("else")
                found = otherwise.get("actions") if otherwise else None
                for branch in (part.get("actions"), found):
                    self.block(branch or Part({}), start, end, around)
            case "switch":
                default = part.get("default")
                cases = [each.get("actions") for each in part.need("cases").fields().values()]
                for branch in (*cases, default.get("actions") if default else None):
                    self.block(branch or Part({}), start, end, around)
            case "foreach":
                self._foreach(action, start, end, around)
            case "until":
                body, over = self.flow.places(2)
                self.flow.step(start, body)
                self.block(part.get("actions") or Part({}), body, over, around)
                self.flow.step((over, *self.alive), (body, *self.alive))
                self.flow.step(over, end)
                self._times(action)
            case _:
                self.block(part.get("actions") or Part({}), start, end, around)

    def _times(self, action: _Action) -> None:
        text = "How often it goes round is not checked."
        self.flow.remark(action.name, action.kind, text)

    def _foreach(self, action: _Action, start: str, end: str, around: _Around) -> None:
        self._times(action)
        part = action.part.get("actions") or Part({})
        loop, body = self.flow.places(2)
        self.flow.step(start, loop)
        if _sequential(action.part):
            self.flow.step((loop, *self.alive), (body, *self.alive))
            self.block(part, body, loop, around)
            self.flow.step(loop, end)
            return
        aside = Flow(self.flow.language, elements=self.flow.elements)
        actions = _Actions(aside, bool(self.alive))
        actions.names = self.names
        actions.block(part, SOURCE, SINK, _Around(depth=around.depth))
        self.flow.elements = aside.elements
        labels = sorted({(s.label, s.element_id or "") for s in aside.steps if s.label is not None})
        self.flow.any_number(labels, loop, end)
        if around.flag:
            self.flow.step((loop, around.flag[0]), (loop, around.flag[1]))
        for remark in aside.remarks:
            self.flow.remark(remark.element_id, remark.element, remark.text)
        if len(labels) > 1:
            text = "Its items run side by side; the order of actions in them is not checked."
            self.flow.remark(action.name, action.kind, text)
        if self.alive and _has_terminate(part.value):
            self.flow.step((end, *self.alive), (end, *self.dead))


def _after(part: Part) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    after = part.get("runAfter")
    for name, statuses in after.fields().items() if after else ():
        known = {status.lower(): status for status in _STATUSES}
        chosen = set()
        for each in statuses.items():
            if each.text().lower() not in known:
                each.refuse(f"is {each.text()!r}, which is no status", ", ".join(_STATUSES))
            chosen.add(known[each.text().lower()])
        found[name] = frozenset(chosen or {SUCCEEDED})
    return found


def _sequential(part: Part) -> bool:
    options = part.get("operationOptions")
    if options is not None and "sequential" in options.text().lower():
        return True
    configuration = part.get("runtimeConfiguration")
    concurrency = configuration.get("concurrency") if configuration else None
    most = concurrency.get("repetitions") if concurrency else None
    return most is not None and most.value == 1


def _has_terminate(value: object) -> bool:
    """Whether any action in a piece of a definition ends the whole run."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            kind = each.get("type")
            if isinstance(kind, str) and kind.lower() == "terminate":
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False
