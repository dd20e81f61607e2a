"""The sentence that a rule is, where its file gives none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miner.conformance.rules.rule import Rule


def text_of(rule: Rule) -> str:
    """What the rule asks, in one sentence with a full stop."""
    said = _WORDS[rule.template](rule)
    if rule.when:
        said += f" where {rule.when.text}"
    if rule.versions:
        said += f" on version {' or '.join(rule.versions)}"
    return f"{said}."


def _within(rule: Rule) -> str:
    return f" within {rule.at_most.text}" if rule.at_most else ""


def _response(rule: Rule) -> str:
    first, then = rule.activities
    how = {
        "plain": f"Every {first} is followed by {then}",
        "alternate": f"Every {first} is followed by {then} before the next {first}",
        "chain": f"Every {first} is followed directly by {then}",
    }
    return how[rule.mode] + _within(rule)


def _precedence(rule: Rule) -> str:
    first, then = rule.activities
    how = {
        "plain": f"{then} comes after {first}",
        "alternate": f"Every {then} comes after {first} of its own",
        "chain": f"{then} comes directly after {first}",
    }
    return how[rule.mode] + _within(rule)


def _succession(rule: Rule) -> str:
    first, then = rule.activities
    how = {"plain": "", "alternate": ", by turns", "chain": " directly"}
    return f"{first} is followed by {then} and {then} comes after {first}{how[rule.mode]}" + (
        _within(rule)
    )


def _time_between(rule: Rule) -> str:
    first, then = rule.activities
    limits = [f"at most {rule.at_most.text}"] if rule.at_most else []
    limits += [f"at least {rule.at_least.text}"] if rule.at_least else []
    return (
        f"From the {rule.measured_from} of {first} to the {rule.measured_until} of {then} it "
        + (f"takes {' and '.join(limits)}")
    )


def _existence(rule: Rule) -> str:
    often = "" if rule.times == 1 else f" at least {rule.times} times"
    return f"{rule.activities[0]} is done{often}"


def _absence(rule: Rule) -> str:
    if not rule.times:
        return f"{rule.activities[0]} is never done"
    return f"{rule.activities[0]} is done at most {_times(rule.times)}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _role(rule: Rule) -> str:
    who = [f"by {' or '.join(rule.resources)}"] if rule.resources else []
    who += [f"by a {rule.resource_kind} resource"] if rule.resource_kind else []
    who += [f"with {key} {' or '.join(values)}" for key, values in rule.attributes]
    return f"{' and '.join(rule.activities)} is only done {' and '.join(who)}"


def _condition(rule: Rule) -> str:
    check = rule.check.text if rule.check else ""
    if rule.activities:
        return f"{rule.activities[0]} is only done where {check}"
    return f"Every case has {check}"


_WORDS: Mapping[str, Callable[[Rule], str]] = {
    "response": _response,
    "precedence": _precedence,
    "succession": _succession,
    "time_between": _time_between,
    "existence": _existence,
    "absence": _absence,
    "exclusive_choice": lambda rule: f"Exactly one of {', '.join(rule.activities)} is done",
    "co_existence": lambda rule: f"{' and '.join(rule.activities)} are all done or none is",
    "four_eyes": lambda rule: f"{' and '.join(rule.activities)} are done by different people",
    "segregation": lambda rule: f"Nobody does more than one of {', '.join(rule.activities)}",
    "role": _role,
    "condition": _condition,
}
