"""A file of rules is read whole or refused with the line that is wrong."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

import pytest

from miner.conformance.rules.calendar import Calendar, limit_of
from miner.conformance.rules.parsing import TEMPLATES, read_rules, rules_of
from miner.errors import InputError, ModelError

GOOD = """
calendar:
  zone: Europe/Berlin
  hours:
    mon-thu: ["08:00-12:00", "13:00-17:00"]
    fri: "08:00-14:00"
  holidays: [2026-12-25, 2026-01-01]
rules:
  - name: approve-in-time
    template: response
    first: Check
    then: Approve
    within: 3 business days
    severity: warning
    versions: [v1, v2]
    when: amount > 1000 and region = 'EU'
"""


def rule(**keys: str) -> str:
    lines = [f"    {key}: {value}" for key, value in keys.items()]
    return "rules:\n  - name: r\n" + "\n".join(lines)


def refusal(text: str) -> str:
    with pytest.raises(ModelError) as caught:
        rules_of(text)
    return str(caught.value)


def test_a_rule_is_read_with_its_calendar() -> None:
    (found,) = rules_of(GOOD)
    assert (found.name, found.template, found.severity) == (
        "approve-in-time",
        "response",
        "warning",
    )
    assert found.activities == ("Check", "Approve")
    assert found.versions == ("v1", "v2")
    assert found.line == 9
    assert found.calendar is not None
    assert found.calendar.holidays == (date(2026, 1, 1), date(2026, 12, 25))
    assert found.calendar.hours[0] == (0, time(8), time(12))
    assert found.calendar.day == timedelta(hours=(4 * 8 + 6) / 5)
    assert found.at_most is not None
    assert found.at_most.time == 3 * found.calendar.day


def test_a_rule_without_a_text_is_worded() -> None:
    (found,) = rules_of(GOOD)
    assert found.text == (
        "Every Check is followed by Approve within 3 business days "
        "where amount > 1000 and region = 'EU' on version v1 or v2."
    )


def test_every_template_is_worded() -> None:
    keys = {
        "first": "A", "then": "B", "activity": "A", "activities": "[A, B]", "check": "x > 1",
        "at_most": "2h", "resources": "[ann]",
    }  # fmt: skip
    for name, template in TEMPLATES.items():
        wanted = (*template.needs, *template.one_of[:1])
        (found,) = rules_of(rule(template=name, **{key: keys[key] for key in wanted}))
        assert found.text.endswith("."), name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rule(template="respons", first="A", then="B"), "line 3: There is no template named"),
        (rule(template="response", frst="A", then="B"), "line 4: There is no key named 'frst'"),
        (rule(template="response", first="A"), "line 2: item"),
        (rule(template="response", first="A", then="A"), "line 2: first and then are both 'A'"),
        (rule(template="response", first="A", then="B", within="soon"), "line 6: within is no"),
        (rule(template="response", first="A", then="B", mode="strict"), "line 6"),
        (rule(template="existence", activity="A", times="0"), "line 5: times is '0'"),
        (rule(template="four_eyes", activities="[A, B, C]"), "line 4: activities has 3 names"),
        (rule(template="segregation", activities="[A, A]"), "line 4: activities has 'A' twice"),
        (rule(template="role", activity="A"), "needs one of resources"),
        (rule(template="time_between", first="A", then="B"), "needs one of at_most"),
        (rule(template="condition", check="sum(x) > 1"), "sum(), which is not allowed"),
        (rule(template="absence", activity="A", when="x ="), "line 5: when: 'x =' is no condition"),
        (
            rule(template="time_between", first="A", then="B", at_most="2 business days",
                 at_least="1h"),
            "one limit in business time",
        ),
        ("rules: []", "line 1: rules is a list"),
        ("calendar: {zone: Mars/Base}\nrules: []", "no time zone 'Mars/Base'"),
        ("calendar: {hours: {mon: 8-17}}\nrules: []", "'8-17' are no hours"),
        ("calendar: {hours: {fri-mon: '8:00-17:00'}}\nrules: []", "runs backwards"),
        ("calendar: {holidays: [christmas]}\nrules: []", "'christmas' is no date"),
        ("rules: [&a {name: x}, *a]", "line 1: &a is not read here"),
        ("rules: !!python/object:os.system []", "is not read here"),
        ("rules:\n  - {name: x}\nrules: []", "line 3: 'rules' stands here for the second time"),
        ("rules:\n  - {name: x", "this is no YAML"),
        ("[" * 50 + "]" * 50, "nested more than"),
        ("", "empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, said: str) -> None:
    assert said.replace("item", "rules has no 'then'") in refusal(text)


def test_near_names_are_offered() -> None:
    assert "Did you mean 'response'?" in refusal(rule(template="respons", first="A", then="B"))
    assert "Did you mean 'first'?" in refusal(rule(template="response", frst="A", then="B"))


def test_two_rules_of_one_name_are_refused() -> None:
    text = rule(template="absence", activity="A")
    assert "a second rule is named 'r'" in refusal(text + text.removeprefix("rules:"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.yaml cannot be read"):
        read_rules(tmp_path / "none.yaml")


def test_limits_are_read_as_people_write_them() -> None:
    calendar = Calendar()
    assert limit_of("3 business days", calendar).time == timedelta(hours=24)
    assert limit_of("1 business hour", calendar).time == timedelta(hours=1)
    assert limit_of("36 hours", calendar).time == timedelta(hours=36)
    assert limit_of("1d 12h", calendar).time == timedelta(hours=36)
    with pytest.raises(InputError, match="no duration"):
        limit_of("3 fortnights", calendar)
