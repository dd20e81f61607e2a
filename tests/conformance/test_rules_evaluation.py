"""Rules on attributes, roles, versions and business time; what a violation says of itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.rules.calendar import Calendar, working
from miner.conformance.rules.evaluation import RULE_RESULTS, RuleResult, evaluate, violations
from miner.conformance.rules.parsing import rules_of
from miner.conformance.rules.rule import Rule
from miner.conformance.sentences import sentence
from miner.eventlog.log import EventLog
from tests.logs import at, events_of, log_of, minutes


def one(keys: str, head: str = "") -> Rule:
    (rule,) = rules_of(f"{head}\nrules: [{{name: r, {keys}}}]")
    return rule


def result(log: EventLog, rule: Rule) -> RuleResult:
    return evaluate(log, [rule]).results[0]


def sentences(log: EventLog, rule: Rule) -> list[str]:
    return [sentence(row) for row in violations(log, rule).iter_rows(named=True)]


def test_a_violation_is_a_sentence_with_who_and_how_much() -> None:
    log = log_of({"c1": "Pay@5(U17) Approve@4325(boss)", "c2": "Approve@1 Pay@2"})
    rule = one("template: precedence, first: Approve, then: Pay")
    assert sentences(log, rule) == [
        "Pay was done before Approve, by U17, 3 days earlier than allowed."
    ]
    row = violations(log, rule).row(0, named=True)
    assert (row["case_id"], row["number"], row["timestamp"]) == ("c1", 1, at(5))
    assert row["added_time"] == -timedelta(days=3)


def test_late_work_says_by_how_much() -> None:
    log = log_of({"c1": "A@0 B@90"})
    rule = one("template: response, first: A, then: B, within: 1h")
    assert sentences(log, rule) == ["B was done too late after A, 30 minutes later than allowed."]


def test_forbidden_work_says_what_it_took() -> None:
    log = log_of({"c1": "A@0 B@60(eve)"})
    rule = one("template: absence, activity: B")
    assert sentences(log, rule) == [
        "B was done though it should not have been, by eve, taking 1 hour."
    ]


def test_one_person_under_two_kinds_is_one_person() -> None:
    log = log_of({"c1": "A@0(ann:human) B@5(ann:system)", "c2": "A@0(ann) B@5(bob)"})
    rule = one("template: four_eyes, activities: [A, B]")
    assert result(log, rule).violations == 1
    assert sentences(log, rule) == ["B was done by the same person (ann) as A."]


def test_what_is_unknown_is_neither_kept_nor_broken() -> None:
    log = log_of({"c1": "A@0 B@5(ann)", "c2": "A@0(bob) B@5(bob)"})
    found = result(log, one("template: four_eyes, activities: [A, B]"))
    assert (found.not_judged, found.violations, found.judged_cases) == (1, 1, 1)
    assert found.violation_rate == 1.0


def test_failed_attempts_do_not_count_as_done() -> None:
    log = log_of({"c1": "Approve@0-1! Pay@5", "c2": "Approve@0-1 Pay@5"})
    assert result(log, one("template: precedence, first: Approve, then: Pay")).violations == 1


def test_an_open_case_may_still_answer() -> None:
    log = log_of({"c1": "A@0 C@5-", "c2": "A@0 C@5"})
    found = result(log, one("template: response, first: A, then: B"))
    assert (found.pending, found.violations) == (1, 1)


def test_an_activity_the_log_does_not_have_is_a_note() -> None:
    found = result(log_of({"c1": "Approve@0"}), one("template: absence, activity: Aprove"))
    assert found.notes == ("The log has no activity 'Aprove'; did you mean 'Approve'?",)


def test_an_empty_selection_has_no_rate() -> None:
    frame = evaluate(EventLog.from_frame(events_of({})), [one("template: existence, activity: A")])
    assert frame.frame().schema == RULE_RESULTS
    assert frame.frame().select("cases", "violations", "violation_rate").row(0) == (0, 0, None)


def attributed() -> EventLog:
    """c1: a large order of the EU on v1; c2: a small one on v2; c3: one of unknown amount on v2."""
    frame = events_of({"c1": "A@0(ann:human) B@5(bot:system)", "c2": "A@0(bob)", "c3": "A@0"})
    case = {
        "c1": json.dumps({"amount": 5000, "region": "EU"}),
        "c2": json.dumps({"amount": 20.5, "region": "US"}),
        "c3": json.dumps({"region": "US"}),
    }
    grades = ['{"grade": "senior", "hours": 3}', '{"grade": "junior"}', '{"hours": 9}', None]
    return EventLog.from_frame(
        frame.with_columns(
            case_attributes=pl.col("case_id").replace_strict(case),
            process_version=pl.col("case_id").replace_strict({"c1": "v1", "c2": "v2", "c3": "v2"}),
            attributes=pl.Series(grades),
        )
    )


def test_a_rule_applies_where_its_condition_holds_and_is_unknown_where_that_is() -> None:
    found = result(attributed(), one("template: existence, activity: B, when: amount < 100"))
    assert (found.cases, found.violating_cases, found.not_judged) == (2, 1, 1)
    assert violations(attributed(), one("template: existence, activity: B, when: amount < 100"))[
        "case_id"
    ].to_list() == ["c2"]


def test_a_rule_applies_to_its_versions() -> None:
    rule = one("template: existence, activity: B, versions: [v2]")
    found = violations(attributed(), rule)
    assert found.select("case_id", "version").rows() == [("c2", "v2"), ("c3", "v2")]


def test_conditions_on_cases_and_on_events() -> None:
    log = attributed()
    found = result(log, one("""template: condition, check: "region = 'EU' or amount < 10" """))
    assert (found.violations, found.not_judged) == (1, 1)
    check = "hours <= 8 and case.amount > 1000"
    found = result(log, one(f"template: condition, activity: A, check: {check}"))
    assert (found.activations, found.violations, found.not_judged) == (3, 1, 1)


def test_roles_by_kind_and_by_attribute() -> None:
    log = attributed()
    found = result(log, one("template: role, activity: [A, B], resource_kind: human"))
    assert (found.violations, found.not_judged) == (1, 2)
    found = result(log, one("template: role, activity: [A, B], attributes: {grade: [senior]}"))
    assert (found.violations, found.not_judged) == (1, 2)


def test_equal_instants_keep_their_own_attributes() -> None:
    frame = events_of({"c1": "A@5(ann) A@5(bob)"})
    log = EventLog.from_frame(
        frame.with_columns(attributes=pl.Series(['{"ok": true}', '{"ok": false}']))
    )
    rule = one("template: condition, activity: A, check: ok")
    assert violations(log, rule)["resource"].to_list() == ["bob"]


HOURS = (
    """calendar: {zone: Europe/Berlin, hours: {mon-fri: "08:00-17:00"}, holidays: [2026-01-06]}"""
)


def test_business_time_skips_nights_weekends_and_holidays() -> None:
    # Friday 2 January 16:00 in Berlin, to Wednesday 7 January 09:00: an hour, a Monday, an hour.
    frame = pl.DataFrame(
        {
            "case_id": ["c1", "c1"],
            "activity": ["A", "B"],
            "timestamp": [datetime(2026, 1, 2, 15), datetime(2026, 1, 7, 8)],
        }
    )
    log = EventLog.from_frame(frame)
    kept = one("template: time_between, first: A, then: B, at_most: 11 business hours", HOURS)
    broken = one("template: time_between, first: A, then: B, at_most: 1 business day", HOURS)
    assert result(log, kept).violations == 0
    assert violations(log, broken)["added_time"].to_list() == [timedelta(hours=2)]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 60 * 24 * 12), min_size=2, max_size=6))
def test_business_time_equals_counting_the_minutes(instants: list[int]) -> None:
    # Twelve days about the change to summer time on 29 March 2026.
    begin, zone = datetime(2026, 3, 24), ZoneInfo("Europe/Berlin")
    rule = one(
        "template: time_between, first: A, then: B, at_most: 0 business minutes",
        'calendar: {zone: Europe/Berlin, hours: {mon-fri: "08:00-17:00", sun: "00:00-24:00"}}',
    )
    ordered = sorted(instants)
    frame = pl.DataFrame(
        {
            "case_id": [f"c{number}" for number in range(1, len(ordered)) for _ in "AB"],
            "activity": ["A", "B"] * (len(ordered) - 1),
            "timestamp": [begin + minutes(minute) for pair in pairwise(ordered) for minute in pair],
        }
    )
    found = violations(EventLog.from_frame(frame), rule, limit=None)
    added = dict(found.select("case_id", "added_time").rows())
    for number, (low, high) in enumerate(pairwise(ordered), 1):
        wanted = 0
        for minute in range(low, high):
            local = (begin + minutes(minute)).replace(tzinfo=UTC).astimezone(zone)
            weekday = local.weekday()
            wanted += weekday == 6 or (weekday < 5 and 8 <= local.hour < 17)
        assert added.get(f"c{number}", timedelta()) == minutes(wanted)


def test_intervals_are_laid_out_once_per_calendar() -> None:
    laid = working(Calendar(), datetime(2026, 1, 5), datetime(2026, 1, 6))
    assert laid is working(Calendar(), datetime(2026, 1, 5), datetime(2026, 1, 6))
    assert laid.opens[1:] == (
        datetime(2026, 1, 5, 9), datetime(2026, 1, 6, 9), datetime(2026, 1, 7, 9),
    )  # fmt: skip
    assert laid.worked[1:] == (0, 8 * 3600 * 10**6, 16 * 3600 * 10**6)


def test_pages_of_violations_join_up() -> None:
    log = log_of({f"c{number}": "A@0 A@5" for number in range(5)})
    rule = one("template: absence, activity: A")
    whole = violations(log, rule, limit=None)
    pages = [violations(log, rule, limit=4, offset=offset) for offset in (0, 4, 8)]
    assert whole.equals(pl.concat(pages))
    assert whole.height == 10
