"""Google Cloud Workflows: definitions in YAML or JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace

from miner.errors import ModelError
from miner.model.definition_text import DEEPEST, Part, yaml_part
from miner.model.flow_steps import SINK, SOURCE, Flow
from miner.model.translation import Translation

_KINDS = ("assign", "call", "switch", "for", "parallel", "try", "steps", "return", "raise")
_BESIDE = ("next", "args", "result", "retry", "except", "condition", "description")
_JUMPS = ("end", "break", "continue")
_TRUE = (True, "true", "True", "${true}")


def read_google_workflows(text: str, *, name: str, version: str | None = None) -> Translation:
    """The net of a workflow: an activity for each step that calls something.

    Label is the name of the step; its element id has the routine and the steps around it before it
    (`main/charge/ask_bank`). All other steps are silent; calls of subworkflows stand for what is in
    these. Inside `try`, every step may fail; then what `except` says follows, or `retry` begins the
    block again. A branch that fails does not stop its sisters. The net ends with the workflow and
    with a `raise` that nothing catches; errors that nobody modelled are not in it.

    Raises ModelError when the text is no workflow, naming the place in it.

    Source: Workflows syntax reference, https://cloud.google.com/workflows/docs/reference/syntax.
    """
    part = yaml_part(text, "workflow")
    routines = {"main": part} if isinstance(part.value, list) else part.fields()
    if "main" not in routines:
        part.refuse("has no routine named main")
    steps = {routine: _steps_of(body) for routine, body in routines.items()}
    flow = Flow("workflow")
    around = _Around({}, SINK, SINK, None, (), False, ("main",), ("main",))
    _Routines(flow, steps).block(steps["main"], SOURCE, SINK, around)
    return flow.translation(name, "google-workflows", text, version)


def _steps_of(part: Part) -> list[Part]:
    return part.items() if isinstance(part.value, list) else part.need("steps").items()


@dataclass(frozen=True)
class _Around:
    """What is around a step: where jumps and errors lead."""

    names: dict[str, str]
    """The places before the steps that it may jump to."""
    end: str
    failed: str
    """Where it goes when it fails."""
    loop: tuple[str, str] | None
    """Where `continue` and `break` lead."""
    flag: tuple[str, ...]
    """In a branch, the places that say whether all sisters are fine, or one has failed."""
    caught: bool
    """Whether anything around catches errors."""
    path: tuple[str, ...]
    calls: tuple[str, ...]
    """The routines that are being called."""


class _Routines:
    """The steps of all routines, written down as steps of one flow."""

    def __init__(self, flow: Flow, routines: dict[str, list[Part]]) -> None:
        self.flow, self.routines = flow, routines

    def block(self, steps: list[Part], before: str, after: str, around: _Around) -> None:
        """Steps one after the other, which may jump to each other and to those around."""
        if len(around.path) > DEEPEST:
            raise ModelError(
                f"{_id(around)} is nested deeper than {DEEPEST} blocks.",
                hint="Split the workflow into smaller ones.",
            )
        named = [step.single() for step in steps]
        places = {name: self.flow.place() for name, _ in named}
        if len(places) < len(named):
            twice = next(n for n, _ in named if sum(n == other for other, _ in named) > 1)
            steps[0].refuse(f"and others beside it: two steps are named {twice!r}")
        inside = replace(around, names={**around.names, **places})
        first, *following = [*[places[name] for name, _ in named], after]
        self.flow.step(before, first)
        for (name, step), then in zip(named, following, strict=True):
            if name in _JUMPS:
                step.refuse(f"cannot be named {name!r}")
            self._step(step, places[name], then, replace(inside, path=(*around.path, name)))

    def _step(self, step: Part, at: str, then: str, around: _Around) -> None:
        self.flow.element()
        fields = step.fields()
        kinds = [kind for kind in _KINDS if kind in fields]
        unknown = [key for key in fields if key not in (*_KINDS, *_BESIDE)]
        if unknown:
            step.refuse(f"has {unknown[0]!r}, which no step has")
        if len(kinds) > 1 or not (kinds or "next" in fields):
            step.refuse("has to do exactly one thing" + (f", not {kinds}" if kinds else ""))
        if "next" in fields:
            then = self._target(fields["next"], around)
        kind = kinds[0] if kinds else "next"
        part = fields.get(kind, step)
        match kind:
            case "call":
                self._call(part, at, then, around)
            case "switch":
                self._switch(part, at, then, around)
            case "for":
                self._for(part, at, then, around)
            case "parallel":
                self._parallel(part, at, then, around)
            case "try":
                self._try(step, at, then, around)
            case "steps":
                self.block(part.items(), at, then, around)
            case "raise":
                self._fail(at, around)
            case _:
                self.flow.step(at, around.end if kind == "return" else then, None, _id(around))
                if around.caught and kind != "next":
                    self._fail(at, around)

    def _target(self, part: Part, around: _Around) -> str:
        name = part.text()
        if name in ("break", "continue"):
            if around.loop is None:
                part.refuse(f"is {name!r} outside of a loop")
            return around.loop[name == "break"]
        if name == "end":
            return around.end
        if name not in around.names:
            part.refuse(f"leads to {name!r}, but there is no such step beside or around it")
        return around.names[name]

    def _fail(self, at: str, around: _Around) -> None:
        """The step fails: to what catches it, or to the end of its branch."""
        if not around.flag:
            self.flow.step(at, around.failed)
            return
        fine, failed = around.flag
        for each in (fine, failed):
            self.flow.step((at, each), (around.failed, failed))

    def _call(self, part: Part, at: str, then: str, around: _Around) -> None:
        called = part.text()
        if called in self.routines and called not in around.calls:
            inside = replace(
                around, names={}, end=then, loop=None, path=(*around.path, called),
                calls=(*around.calls, called),
            )  # fmt: skip
            self.block(self.routines[called], at, then, inside)
            return
        if called in self.routines:
            text = f"{called} calls itself; what it does then is not looked into."
            self.flow.remark(_id(around), "call", text)
        out = self.flow.place()
        self.flow.step(at, out, around.path[-1], _id(around))
        self.flow.step(out, then)
        if around.caught:
            self._fail(out, around)

    def _switch(self, part: Part, at: str, then: str, around: _Around) -> None:
        certain = False
        for number, each in enumerate(part.items(), 1):
            certain = certain or each.need("condition").value in _TRUE
            start = self.flow.place()
            self.flow.step(at, start)
            inside = replace(around, path=(*around.path, str(number)))
            bare = {key for key in each.fields() if key != "condition"}
            if bare:
                self._step(each, start, then, inside)
            else:
                self.flow.step(start, then)
        if not certain:
            self.flow.step(at, then)
        if around.caught:
            self._fail(at, around)

    def _for(self, part: Part, at: str, then: str, around: _Around) -> None:
        loop, start = self.flow.places(2)
        self.flow.step(at, loop)
        self.flow.step(loop, start)
        self.flow.step(loop, then)
        inside = replace(around, loop=(loop, then))
        self.block(part.need("steps").items(), start, loop, inside)
        self.flow.remark(_id(around), "for", "How often it goes round is not checked.")

    def _parallel(self, part: Part, at: str, then: str, around: _Around) -> None:
        branches = part.list_of("branches")
        items = part.get("for")
        if bool(branches) == (items is not None):
            part.refuse("has to have either branches or for")
        if items is not None:
            self._side_by_side(items, at, then, around)
            return
        starts, ends = self.flow.places(len(branches)), self.flow.places(len(branches))
        flag = self.flow.places(2)
        self.flow.step(at, (*starts, flag[0]))
        for branch, start, end in zip(branches, starts, ends, strict=True):
            name, body = branch.single()
            path = (*around.path, name)
            inside = replace(around, names={}, end=end, failed=end, loop=None, flag=flag, path=path)
            self.block(_steps_of(body), start, end, inside)
        self.flow.step((*ends, flag[0]), then)
        over = self.flow.place()
        self.flow.step((*ends, flag[1]), over)
        self._fail(over, around)

    def _side_by_side(self, part: Part, at: str, then: str, around: _Around) -> None:
        """Items that run in parallel: their steps in any order."""
        aside = Flow(self.flow.language, elements=self.flow.elements)
        inside = replace(around, names={}, end=SINK, failed=SINK, loop=None, flag=())
        steps = part.need("steps").items()
        _Routines(aside, self.routines).block(steps, SOURCE, SINK, inside)
        self.flow.elements = aside.elements
        labels = {(s.label, s.element_id or "") for s in aside.steps if s.label is not None}
        done = self.flow.place()
        self.flow.any_number(sorted(labels), at, done)
        self.flow.step(done, then)
        text = "How many items there were, and the order of steps in them, is not checked."
        self.flow.remark(_id(around), "parallel for", text)
        for remark in aside.remarks:
            self.flow.remark(remark.element_id, remark.element, remark.text)
        if around.caught or _raises(part.value):
            self._fail(done, around)

    def _try(self, step: Part, at: str, then: str, around: _Around) -> None:
        failed = self.flow.place()
        inside = replace(around, failed=failed, flag=(), caught=True)
        body = step.need("try")
        if isinstance(body.value, list):
            self.block(body.items(), at, then, inside)
        else:
            self._step(body, at, then, inside)
        if step.get("retry") is not None:
            self.flow.step(failed, at)
            self.flow.remark(_id(around), "retry", "How often it tries again is not checked.")
        handler = step.get("except")
        if handler is not None:
            start = self.flow.place()
            self.flow.step(failed, start)
            self.block(handler.need("steps").items(), start, then, around)
        elif around.caught or _raises(body.value):
            self._fail(failed, around)


def _id(around: _Around) -> str:
    return "/".join(around.path)


def _raises(value: object) -> bool:
    """Whether any step in a piece of a definition raises an error."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "raise" in each:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False
