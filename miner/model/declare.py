"""DECLARE: what may happen, said by constraints."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from miner.errors import ModelError
from miner.model.automata import Dfa, both, everything
from miner.model.declare_templates import BINARY, DEAD, MOST, UNARY, Template, unary
from miner.model.definition_text import Part, json_part
from miner.model.flow_steps import SINK, SOURCE, Flow
from miner.model.translation import Translation

MOST_STATES = 50_000
_MOST_TRANSITIONS = 50_000
_LINE = re.compile(r"(?P<template>[A-Za-z][A-Za-z \-]*?)\s*(?P<number>\d*)\s*\[(?P<names>.*)\]")
_DATA = re.compile(r"(bind\s+.+:|[^\[\]|]+:)")


def read_declare(text: str, *, name: str, version: str | None = None) -> Translation:
    """The net of DECLARE constraints: all traces over the activities that keep all of them.

    `text` has lines `activity A` and `Response[A, B] | | |`, as RuM, MINERful and Declare4Py write
    them, or is the JSON of MINERful (`tasks`, `constraints` with `template` and `parameters`). What
    is not among the activities is not allowed at all. The net is a state machine: the smallest
    automaton of the constraints together. Label and element id are the name of the activity.
    Conditions on data and time cannot be said: where they make a constraint stricter it is kept
    without them, else it is left out, both with a remark.

    Raises ModelError when a line is none of these, when constraints contradict one another, and
    when the automaton has more than 50,000 states.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ModelError(
            "The DECLARE model has half a letter (a lone surrogate).", hint="Save it as UTF-8."
        )
    found = _from_json(text) if text.lstrip().startswith("{") else _from_lines(text)
    flow = Flow("DECLARE model")
    _check(found.activities)
    letters = {activity: number for number, activity in enumerate(found.activities)}
    whole = everything(len(letters))
    for constraint in found.constraints:
        for template in _kept(constraint, flow):
            smaller = both(whole, _dfa(template, constraint.names, letters), MOST_STATES)
            if smaller is None:
                raise ModelError(
                    f"{constraint.where}: with {constraint.said} there are too many states, "
                    f"more than {MOST_STATES:,}.",
                    hint="Split the model by activities that have nothing to do with each other.",
                )
            if smaller.start == 0:
                raise ModelError(
                    f"{constraint.where}: {constraint.said} contradicts the constraints before it.",
                    hint="Without any trace that keeps all of them there is no model.",
                )
            whole = smaller
    _write(whole, list(letters), flow)
    return flow.translation(name, "declare", text, version)


@dataclass(frozen=True)
class _Constraint:
    where: str
    said: str
    template: str
    number: int
    names: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    """Activation, correlation (of two activities only) and time, each perhaps empty."""


@dataclass(frozen=True)
class _Found:
    activities: list[str]
    constraints: list[_Constraint]


def _check(activities: list[str]) -> None:
    if not activities:
        raise ModelError(
            "The DECLARE model has no activities.", hint="Add lines like: activity Pay invoice"
        )
    if len(activities) > MOST:
        raise ModelError(
            f"The DECLARE model has more than {MOST:,} activities.", hint="Split the model."
        )


def _from_lines(text: str) -> _Found:
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    activities: list[str] = []
    for number, line in lines:
        if line.startswith("activity "):
            name = Part(line.removeprefix("activity ").strip(), f"Line {number}").text()
            if name in activities:
                raise ModelError(
                    f"Line {number}: the activity {name!r} is there twice.", hint="Take one out."
                )
            activities.append(name)
    constraints = []
    for number, line in lines:
        matched = _LINE.match(line)
        if not line or line.startswith(("activity ", "#")):
            continue
        if matched is None:
            if not _DATA.match(line):
                raise ModelError(
                    f"Line {number} is neither an activity nor a constraint: {line[:60]!r}.",
                    hint="Write constraints like: Response[Order, Pay] | | |",
                )
            continue
        rest = line[matched.end() :].strip()
        conditions = tuple(each.strip() for each in rest.split("|")[1:])
        where = f"Line {number}"
        names = _names(matched["names"], activities, where)
        constraints.append(
            _constraint(where, matched["template"], matched["number"], names, conditions)
        )
    return _Found(activities, constraints)


def _names(text: str, activities: list[str], where: str) -> list[str]:
    """The activities in brackets; their names may have commas in them."""
    known = set(activities)
    if text.strip() in known:
        return [text.strip()]
    commas = [match.start() for match in re.finditer(",", text)]
    for comma in commas:
        pair = [text[:comma].strip(), text[comma + 1 :].strip()]
        if known.issuperset(pair):
            return pair
    raise ModelError(
        f"{where} speaks of [{text[:100]}], which are not activities of the model.",
        hint="Each needs a line of its own: activity NAME",
    )


def _from_json(text: str) -> _Found:
    part = json_part(text, "DECLARE model")
    activities = [
        _parameter(each) for each in (part.get("tasks") or part.need("activities")).items()
    ]
    if len(set(activities)) < len(activities):
        part.refuse("has an activity twice")
    constraints = []
    for each in part.need("constraints").items():
        names = [_parameter(name) for name in each.need("parameters").items()]
        for name in names:
            if name not in activities:
                each.refuse(f"speaks of {name!r}, which is no activity of the model")
        template = each.need("template").text()
        matched = re.fullmatch(r"(.*?)(\d*)", template, re.DOTALL)
        assert matched
        constraints.append(_constraint(each.where, matched[1], matched[2], names, ()))
    return _Found(activities, constraints)


def _parameter(part: Part) -> str:
    """A name, by itself, in a list, or as an object with a name."""
    if isinstance(part.value, list):
        items = part.items()
        if len(items) != 1:
            part.refuse("has to be one activity; branches of constraints are not read")
        return _parameter_name(items[0])
    return _parameter_name(part)


def _parameter_name(part: Part) -> str:
    return part.need("name").text() if isinstance(part.value, dict) else part.text()


def _constraint(
    where: str, template: str, number: str, names: list[str], conditions: tuple[str, ...]
) -> _Constraint:
    plain = re.sub(r"[\s\-]", "", template).lower()
    said = f"{template.strip()}{number}[{', '.join(names)}]"
    counting = plain in UNARY[:3]
    if plain not in BINARY and plain not in UNARY:
        raise ModelError(
            f"{where}: there is no template {template.strip()[:60]!r}.",
            hint=f"Templates: {', '.join((*UNARY, *BINARY))}.",
        )
    if (number and not counting) or len(number) > 4 or not 0 < int(number or 1) <= MOST:
        raise ModelError(
            f"{where}: {said[:100]} cannot have the number {number[:9]}.",
            hint=f"Existence, Absence and Exactly count from 1 to {MOST:,}.",
        )
    expected = 1 if plain in UNARY else 2
    if len(set(names)) != expected or len(names) != expected:
        raise ModelError(
            f"{where}: {said[:100]} needs {expected} different activities.",
            hint="Check the names between the brackets.",
        )
    return _Constraint(where, said, plain, int(number or 1), tuple(names), conditions)


def _kept(constraint: _Constraint, flow: Flow) -> tuple[Template, ...]:
    """The automata of a constraint; none where its conditions make it weaker than any."""
    flow.element()
    activation, *stricter = (*constraint.conditions, "", "")
    negative = constraint.template.startswith("not") or constraint.template in ("absence",)
    if activation or (any(stricter) and (negative or constraint.template == "exactly")):
        text = "It holds under conditions on data or time, which a net cannot say: it is left out."
        flow.remark(constraint.said, "constraint", text)
        return ()
    if any(stricter):
        text = "Its conditions on data or time are not checked, only the order of activities."
        flow.remark(constraint.said, "constraint", text)
    if constraint.template in BINARY:
        return BINARY[constraint.template]
    return (unary(constraint.template, constraint.number),)


def _dfa(template: Template, names: tuple[str, ...], letters: dict[str, int]) -> Dfa:
    """A template over all activities, with its states moved up by one for the dead one."""
    part = np.full(len(letters), 2)
    for place, name in enumerate(names):
        part[letters[name]] = place
    table = np.array([(DEAD, DEAD, DEAD), *template.moves], dtype=np.int64) + 1
    accepting = np.zeros(len(table), dtype=np.bool_)
    accepting[[state + 1 for state in template.accepting]] = True
    return Dfa(table[:, part], accepting, 1)


def _write(dfa: Dfa, activities: list[str], flow: Flow) -> None:
    """A place for each state and a step for each move that can still lead to an end."""
    states, letters = np.nonzero(dfa.moves)
    if len(states) > _MOST_TRANSITIONS:
        raise ModelError(
            f"The DECLARE model needs {len(states):,} transitions, which are too many.",
            hint="Split the model by activities that have nothing to do with each other.",
        )
    flow.step(SOURCE, f"state {dfa.start}")
    for state, letter in zip(states.tolist(), letters.tolist(), strict=True):
        target, label = int(dfa.moves[state, letter]), activities[letter]
        flow.step(f"state {state}", f"state {target}", label, label)
    for state in np.nonzero(dfa.accepting)[0].tolist():
        flow.step(f"state {state}", SINK)
