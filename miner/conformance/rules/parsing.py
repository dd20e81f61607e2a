"""Rules as they stand in a file: YAML, checked key by key, with the line of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from miner.conformance.rules.calendar import Calendar, Limit, limit_of
from miner.conformance.rules.calendar_parsing import calendar_of
from miner.conformance.rules.conditions import Condition, condition
from miner.conformance.rules.document import Value, document
from miner.conformance.rules.rule import MODES, MOMENTS, SEVERITIES, Rule, Rules
from miner.conformance.rules.wording import text_of
from miner.errors import InputError, ModelError
from miner.eventlog.schema import RESOURCE_KIND

SHARED = ("name", "template", "text", "severity", "when", "versions")


@dataclass(frozen=True)
class Template:
    """Which keys a kind of rule needs and may have."""

    needs: tuple[str, ...]
    may: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    """At least one of these has to be there."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that are known of it."""
        return (*SHARED, *self.needs, *self.may, *self.one_of)


TEMPLATES = {
    "response": Template(("first", "then"), ("mode", "within")),
    "precedence": Template(("first", "then"), ("mode", "within")),
    "succession": Template(("first", "then"), ("mode", "within")),
    "time_between": Template(("first", "then"), ("from", "until"), ("at_most", "at_least")),
    "existence": Template(("activity",), ("times",)),
    "absence": Template(("activity",), ("times",)),
    "exclusive_choice": Template(("activities",)),
    "co_existence": Template(("activities",)),
    "four_eyes": Template(("activities",)),
    "segregation": Template(("activities",)),
    "role": Template(("activity",), (), ("resources", "resource_kind", "attributes")),
    "condition": Template(("check",), ("activity",)),
}


def read_rules(path: Path | str) -> Rules:
    """The rules of a file; ModelError with the line for what is no rule, or cannot be read."""
    return rules_of(file_text(Path(path)), Path(path).name)


def file_text(path: Path) -> str:
    """The text of a file that a person wrote; ModelError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ModelError(f"{path} is no text in UTF-8.", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None


def rules_of(text: str, name: str = "rules.yaml") -> Rules:
    """The rules in `text`, a mapping with `rules` and perhaps a `calendar`.

    Raises ModelError with the line for an unknown key or template (and the nearest known one), a
    key that is missing, two rules of one name, and values that cannot be.
    """
    whole = document(text, name)
    whole.entries(("rules", "calendar"))
    calendar = calendar_of(whole.entries().get("calendar"))
    return replace(rules_from(whole.need("rules"), calendar), name=name, text=text)


def rules_from(listed: Value, calendar: Calendar) -> Rules:
    """The rules of a list in a file; see `rules_of`."""
    found: dict[str, Rule] = {}
    for each in listed.items():
        rule = _rule(each, calendar)
        if rule.name in found:
            raise each.error(
                f"a second rule is named {rule.name!r}.",
                hint=f"The first is in line {found[rule.name].line}.",
            )
        found[rule.name] = rule
    return Rules(listed.file, tuple(found.values()))


def _rule(value: Value, calendar: Calendar) -> Rule:
    value.entries()
    template = value.need("template").one_of(TEMPLATES)
    known = TEMPLATES[template]
    entries = value.entries(known.keys)
    for key in ("name", *known.needs):
        value.need(key)
    if known.one_of and not entries.keys() & set(known.one_of):
        raise value.error(f"{template} needs one of {', '.join(known.one_of)}.")
    made = {
        field: content
        for key, entry in entries.items()
        if key not in ("name", "template", "first", "then", "activity", "activities")
        for field, content in [_READERS[key](entry, template, calendar, entries)]
    }
    rule = Rule(
        name=value.need("name").text(),
        template=template,
        activities=_activities(value, template, entries),
        line=value.line,
        calendar=calendar,
        **_defaults(template) | made,
    )
    if rule.at_most and rule.at_least and rule.at_most.business != rule.at_least.business:
        raise value.error(
            f"{rule.name!r} has one limit in business time and one in elapsed time.",
            hint="Give both in the same, or make two rules.",
        )
    return replace(rule, text=made.get("text") or text_of(rule))


def _defaults(template: str) -> dict[str, Any]:
    return {"text": "", "times": 1 if template == "existence" else 0}


def _activities(value: Value, template: str, entries: dict[str, Value]) -> tuple[str, ...]:
    if "first" in entries:
        first, then = entries["first"].text(), entries["then"].text()
        if first == then:
            raise value.error(f"first and then are both {first!r}.", hint="Name two activities.")
        return first, then
    if "activity" in entries:
        names = entries["activity"].texts()
        if len(names) > 1 and template != "role":
            raise entries["activity"].error("activity is a list.", hint="Name one activity.")
        return names
    if "activities" not in entries:
        return ()
    names = entries["activities"].texts()
    if len(names) < 2 or (template == "four_eyes" and len(names) > 2):
        wanted = "Name two activities." if template == "four_eyes" else "Name at least two."
        raise entries["activities"].error(f"activities has {len(names)} names.", hint=wanted)
    return names


def _text(value: Value) -> str:
    return value.text()


def _limit(value: Value, calendar: Calendar) -> Limit:
    try:
        return limit_of(value.text(), calendar)
    except InputError as error:
        raise value.error(f"{value.key} is no time: {error.message}", hint=error.hint) from None


def _condition(value: Value, *, of_activity: bool) -> Condition:
    try:
        return condition(value.text(), of_activity=of_activity)
    except ModelError as error:
        raise value.error(f"{value.key}: {error.message}", hint=error.hint) from None


def _attributes(value: Value) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((key, each.texts()) for key, each in value.entries().items())


Reader = Callable[[Value, str, Calendar, dict[str, Value]], tuple[str, Any]]

_READERS: dict[str, Reader] = {
    "text": lambda value, *_: ("text", _text(value)),
    "severity": lambda value, *_: ("severity", value.one_of(SEVERITIES)),
    "when": lambda value, *_: ("when", _condition(value, of_activity=False)),
    "versions": lambda value, *_: ("versions", value.texts()),
    "mode": lambda value, *_: ("mode", value.one_of(MODES)),
    "within": lambda value, _template, calendar, _entries: ("at_most", _limit(value, calendar)),
    "at_most": lambda value, _template, calendar, _entries: ("at_most", _limit(value, calendar)),
    "at_least": lambda value, _template, calendar, _entries: ("at_least", _limit(value, calendar)),
    "from": lambda value, *_: ("measured_from", value.one_of(MOMENTS)),
    "until": lambda value, *_: ("measured_until", value.one_of(MOMENTS)),
    "times": lambda value, template, *_: (
        "times",
        value.whole(least=1 if template == "existence" else 0),
    ),
    "resources": lambda value, *_: ("resources", value.texts()),
    "resource_kind": lambda value, *_: ("resource_kind", value.one_of(RESOURCE_KIND)),
    "attributes": lambda value, *_: ("attributes", _attributes(value)),
    "check": lambda value, _template, _calendar, entries: (
        "check",
        _condition(value, of_activity="activity" in entries),
    ),
}
