"""What each kind of rule means, in plain Python over one case at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from miner.conformance.rules.rule import Rule

Found = tuple[str, int | None, str | None]
"""Outcome; instance and kind of what broke the rule."""


@dataclass(frozen=True)
class Done:
    number: int
    activity: str
    completed_at: datetime
    started_at: datetime | None
    resource: str | None


def outcomes(
    rule: Rule, case: list[Done], *, is_open: bool, at_work: dict[int, str | None]
) -> list[Found]:
    """What `rule` says of the completed instances of one case, in order.

    `at_work` has the other instances by number: the activity of those that still run, else null.
    """
    mine = [each for each in case if each.activity in rule.activities]
    match rule.template:
        case "response":
            return _response(rule, mine, is_open, at_work)
        case "precedence":
            return _precedence(rule, mine)
        case "succession":
            return _response(rule, mine, is_open, at_work) + _precedence(rule, mine, timed=False)
        case "time_between":
            return _time_between(rule, mine)
        case "existence":
            return [_missing(is_open) if len(mine) < rule.times else ("kept", None, None)]
        case "absence":
            kind = "repeated" if rule.times else "extra"
            too_many = mine[rule.times :]
            return [("broken", each.number, kind) for each in too_many] or [("kept", None, None)]
        case "exclusive_choice":
            return _exclusive_choice(mine, is_open)
        case "co_existence":
            names = {each.activity for each in mine}
            return [
                ("kept", None, None) if name in names else _missing(is_open)
                for name in rule.activities
                if names
            ]
        case "four_eyes" | "segregation":
            return _segregation(mine)
        case "role":
            return [_role(rule, each) for each in mine]
    raise AssertionError(rule.template)


def _missing(is_open: bool) -> Found:
    return ("pending", None, None) if is_open else ("broken", None, "skipped")


def _response(
    rule: Rule, mine: list[Done], is_open: bool, at_work: dict[int, str | None]
) -> list[Found]:
    first, then = rule.activities
    found = []
    for index, each in enumerate(mine):
        if each.activity != first:
            continue
        later = mine[index + 1 :]
        if rule.mode == "plain":
            answer = next((other for other in later if other.activity == then), None)
            may_come = True
        elif rule.mode == "alternate":
            answer = later[0] if later and later[0].activity == then else None
            may_come = not later
        else:
            near = bool(later) and later[0].number == each.number + 1
            answer = later[0] if near and later[0].activity == then else None
            is_last = not near and each.number + 1 not in at_work
            may_come = is_last or at_work.get(each.number + 1) == then
        found.append(_answered(rule, each, answer, is_open and may_come))
    return found


def _answered(rule: Rule, asked: Done, answer: Done | None, may_come: bool) -> Found:
    if answer is None:
        return _missing(may_come)
    if rule.at_most and answer.completed_at - asked.completed_at > rule.at_most.time:
        return ("broken", answer.number, "too_late")
    return ("kept", None, None)


def _precedence(rule: Rule, mine: list[Done], *, timed: bool = True) -> list[Found]:
    first, then = rule.activities
    found: list[Found] = []
    for index, each in enumerate(mine):
        if each.activity != then:
            continue
        before = mine[:index][::-1]
        if rule.mode == "plain":
            reason = next((other for other in before if other.activity == first), None)
        else:
            reason = before[0] if before and before[0].activity == first else None
            if rule.mode == "chain" and reason and reason.number != each.number - 1:
                reason = None
        if reason is None:
            found.append(("broken", each.number, "too_early"))
        elif timed and rule.at_most and each.completed_at - reason.completed_at > rule.at_most.time:
            found.append(("broken", each.number, "too_late"))
        else:
            found.append(("kept", None, None))
    return found


def _time_between(rule: Rule, mine: list[Done]) -> list[Found]:
    first, then = rule.activities
    found: list[Found] = []
    for index, each in enumerate(mine):
        before = [other for other in mine[:index] if other.activity == first]
        if each.activity != then or not before:
            continue
        begins = _moment(before[-1], rule.measured_from)
        ends = _moment(each, rule.measured_until)
        if begins is None or ends is None:
            found.append(("unknown", None, None))
        elif rule.at_most and ends - begins > rule.at_most.time:
            found.append(("broken", each.number, "too_late"))
        elif rule.at_least and ends - begins < rule.at_least.time:
            found.append(("broken", each.number, "too_early"))
        else:
            found.append(("kept", None, None))
    return found


def _moment(done: Done, which: str) -> datetime | None:
    return done.completed_at if which == "completion" else done.started_at


def _exclusive_choice(mine: list[Done], is_open: bool) -> list[Found]:
    if not mine:
        return [_missing(is_open)]
    others = [each.number for each in mine if each.activity != mine[0].activity]
    return [("broken", number, "extra") for number in others] or [("kept", None, None)]


def _segregation(mine: list[Done]) -> list[Found]:
    found: list[Found] = []
    for index, each in enumerate(mine):
        others = [other for other in mine[:index] if other.activity != each.activity]
        if not others:
            continue
        who = {other.resource for other in others}
        if each.resource is None:
            found.append(("unknown", None, None))
        elif each.resource in who:
            found.append(("broken", each.number, "same_person"))
        else:
            found.append(("unknown" if None in who else "kept", None, None))
    return found


def _role(rule: Rule, each: Done) -> Found:
    if each.resource is None:
        return ("unknown", None, None)
    if each.resource in rule.resources:
        return ("kept", None, None)
    return ("broken", each.number, "wrong_role")
