"""Filters: which cases each kind keeps, in which order, and what is said about bad values."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import InputError, UnknownNameError
from miner.eventlog.filter_values import seconds_of
from miner.eventlog.filters import KINDS, Condition, LogFilter, in_order
from miner.eventlog.log import EventLog
from tests.logs import at, events_of, log_of

TRACES = {
    "c1": "Create@0-10 Check@20-30(ann) Pay@60",
    "c2": "Create@0-5 Check@10-15!(bob) Check@20-25(bob) Pay@30",
    "c3": "Create@1500-1510 Pay@1520-1530(ann) Check@1540-1550(bob)",
    "c4": "Create@3000-3001 Check@3002-3003 Create@3004-3005",
    "c5": "Create@0-10 Check@20-30(bob) Pay@4000-",
}
FACTS = {
    "c1": {"process_version": "v1", "case_attributes": '{"region": "north", "size": 5}'},
    "c2": {"process_version": "v2", "error_type": "Broken", "attributes": '{"urgent": true}'},
    "c4": {"case_status": "cancelled", "attributes": '{"size": "5"}'},
}

EXAMPLES = {
    "since 2026-01-06": "c3 c4",
    "until 2026-01-05": "c1 c2",
    "until 2026-01-05T08:30:00Z": "",
    "active-between 2026-01-06..2026-01-06": "c3 c5",
    "active-between 2026-01-05T09:00:00..2026-01-05T09:30:00": "c1 c5",
    "activity Pay": "c1 c2 c3 c5",
    "without-activity Pay": "c4",
    "starts-with Create": "c1 c2 c3 c4 c5",
    "ends-with Check": "c3",
    "follows Create>Pay": "c3",
    "follows Check > Pay": "c1 c2 c5",
    "eventually-follows Create>Pay": "c1 c2 c3 c5",
    "eventually-follows Pay>Check": "c3",
    "variant 1": "c1 c5",
    "variant Create>Check>Pay": "c1 c5",
    "variant Create > Pay > Check": "c3",
    "variant Pay": "",
    "top-variants 1": "c1 c5",
    "top-variants 99": "c1 c2 c3 c4 c5",
    "top-variants 0": "",
    "variant-coverage 0.4": "c1 c5",
    "variant-coverage 1": "c1 c2 c3 c4 c5",
    "longer-than 50min": "c1 c5",
    "longer-than 1h": "c5",
    "shorter-than 30min": "c4",
    "min-instances 4": "c2",
    "max-instances 3": "c1 c3 c4 c5",
    "attribute region=north": "c1",
    "attribute size=5": "c1 c4",
    "attribute urgent=true": "c2",
    "attribute nothing=here": "",
    "case c3": "c3",
    "case nobody": "",
    "resource ann": "c1 c3",
    "version v2": "c2",
    "status open": "c5",
    "status closed": "c1 c2 c3 c4",
    "status cancelled": "c4",
    "status completed": "c1 c2 c3",
    "failed-at Check": "c2",
    "failed-at Pay": "",
    "rework-of Create": "c4",
    "rework-of Check": "",
    "error Broken": "c2",
}

BAD = {
    "since": ("yesterday", "31.12.2026", ""),
    "until": ("2026-13-01",),
    "active-between": ("2026-01-01", "a..b"),
    "follows": ("Create", "Create>", ">"),
    "eventually-follows": ("Create,Pay",),
    "top-variants": ("-1", "many", "1.5", ""),
    "variant-coverage": ("1.1", "-0.1", "half", "nan"),
    "longer-than": ("long", "5 parsecs", "", "-5min"),
    "shorter-than": ("min",),
    "min-instances": ("x",),
    "max-instances": ("-1",),
    "attribute": ("region", "=north"),
    "status": ("done",),
}


@pytest.fixture(scope="module")
def log() -> EventLog:
    events = events_of(TRACES)
    for name in ("process_version", "case_attributes", "error_type", "attributes", "case_status"):
        given = {case: facts[name] for case, facts in FACTS.items() if name in facts}
        events = events.with_columns(
            pl.col("case_id")
            .replace_strict(given, default=None, return_dtype=pl.String)
            .alias(name)
        )
    return EventLog.from_frame(events)


def kept(log: EventLog, *conditions: str | Condition) -> str:
    found = log.filter(LogFilter.of(*conditions)).query(
        'select case_id from "case" join case_identity using (case_key) order by case_id',
        pl.Schema({"case_id": pl.String()}),
    )
    return " ".join(found["case_id"])


@pytest.mark.parametrize("condition", EXAMPLES)
def test_each_kind_keeps_the_cases_it_is_true_of(log: EventLog, condition: str) -> None:
    assert kept(log, condition) == EXAMPLES[condition]


@pytest.mark.parametrize("condition", EXAMPLES)
def test_inverted_it_keeps_all_the_others(log: EventLog, condition: str) -> None:
    others = set(TRACES) - set(EXAMPLES[condition].split())
    assert kept(log, f"not {condition}") == " ".join(sorted(others))


def test_every_kind_has_an_example_and_says_what_it_does() -> None:
    assert {text.split()[0] for text in EXAMPLES} == set(KINDS)
    assert all(kind.help and kind.metavar for kind in KINDS.values())


def test_a_case_keeps_all_of_its_events(log: EventLog) -> None:
    narrowed = log.filter(LogFilter.of("activity Pay", "case c2"))
    assert narrowed.row("select count(*) as n from recorded_event")["n"] == 7
    assert narrowed.row("select count(*) as n from activity_instance")["n"] == 4


def test_the_order_matters_where_a_condition_looks_at_other_cases(log: EventLog) -> None:
    assert kept(log, "top-variants 1", "not case c1") == "c5"
    assert kept(log, "not case c1", "not case c5", "top-variants 1") in ("c2", "c3", "c4")
    assert kept(log, "activity Pay", "variant-coverage 0.5") == "c1 c5"
    assert kept(log, "resource ann", "variant 1") in ("c1", "c3")


def test_conditions_narrow_one_after_the_other(log: EventLog) -> None:
    assert kept(log, "resource bob", "activity Pay", "not status open") == "c2 c3"
    one = log.filter(LogFilter.of("resource bob")).filter(LogFilter.of("activity Pay"))
    assert one.condition == LogFilter.of("resource bob", "activity Pay")


def test_an_empty_filter_keeps_everything(log: EventLog) -> None:
    assert log.filter(LogFilter()) is log
    assert str(LogFilter()) == "all cases"
    assert not LogFilter()


def test_on_an_empty_log_nothing_is_kept() -> None:
    assert kept(log_of({}), "longer-than 1s", "top-variants 3", "status closed") == ""


@pytest.mark.parametrize(
    ("condition", "name", "near"),
    [
        ("activity Creat", "Creat", "Create"),
        ("not activity Payy", "Payy", "Pay"),
        ("without-activity check", "check", "Check"),
        ("starts-with Craete", "Craete", "Create"),
        ("ends-with Chekc", "Chekc", "Check"),
        ("follows Create>Payy", "Payy", "Pay"),
        ("eventually-follows Creates>Pay", "Creates", "Create"),
        ("variant Create>Chekc", "Chekc", "Check"),
        ("failed-at Chek", "Chek", "Check"),
        ("rework-of Paya", "Paya", "Pay"),
        ("resource anne", "anne", "ann"),
    ],
)
def test_an_unknown_name_is_an_error_that_shows_the_nearest_one(
    log: EventLog, condition: str, name: str, near: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"named '{name}'") as raised:
        kept(log, condition)
    assert near in raised.value.hint


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_a_bad_value_is_an_error_that_shows_a_good_one(kind: str, value: str) -> None:
    with pytest.raises(InputError) as raised:
        Condition(kind, value)
    assert raised.value.hint


def test_an_unknown_kind_is_an_error_that_shows_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="no filter named 'activty'") as raised:
        LogFilter.of("activty Pay")
    assert "'activity'" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15min", 900), ("2h", 7200), ("3d", 259200), ("1d 12h", 129600),
     ("1.5h", 5400), ("250ms", 0.25), ("2W", 1209600)],
)  # fmt: skip
def test_durations_are_written_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_date_means_its_whole_day_and_a_time_its_instant() -> None:
    log = log_of({"c1": "A@0", "c2": f"A@{16 * 60 - 1}", "c3": f"A@{16 * 60}"})
    assert kept(log, "until 2026-01-05") == "c1 c2"
    assert kept(log, "since 2026-01-06") == "c3"
    assert kept(log, f"since {at(959).isoformat()}Z") == "c2 c3"
    assert kept(log, "since 2026-01-06T01:00:00+01:00") == "c3"


def test_flags_become_conditions_in_their_order() -> None:
    assert in_order([("activity", "Pay"), ("not", True), ("top-variants", "3")]) == LogFilter.of(
        "activity Pay", "not top-variants 3"
    )
    assert in_order([("not", True), ("not", True), ("case", "c1")]) == LogFilter.of("case c1")
    with pytest.raises(InputError, match="inverts nothing"):
        in_order([("activity", "Pay"), ("not", True)])


def test_names_with_sql_in_them_are_only_names() -> None:
    evil = 'a\'; drop table "case"; --'
    log = EventLog.from_frame(events_of({"c1": "A@0"}).with_columns(activity=pl.lit(evil)))
    assert kept(log, f"activity {evil}") == "c1"
    assert kept(log, f"attribute {evil}={evil}") == ""
    assert kept(log, f"case {evil}") == ""


values = st.text(max_size=12)
conditions = st.one_of(
    st.builds(
        Condition,
        st.sampled_from(("activity", "case", "resource", "version", "error")),
        values,
        st.booleans(),
    ),
    st.builds(Condition, st.just("top-variants"), st.integers(0, 99).map(str), st.booleans()),
    st.builds(Condition, st.just("since"), st.dates().map(str), st.booleans()),
    st.builds(
        Condition,
        st.just("attribute"),
        st.builds(
            "{}={}".format, st.text(st.characters(exclude_characters="="), min_size=1), values
        ),
        st.booleans(),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(conditions, max_size=4).map(tuple).map(LogFilter))
def test_a_filter_survives_its_address(condition: LogFilter) -> None:
    text = condition.to_json()
    assert LogFilter.from_json(text) == condition
    assert LogFilter.from_json(text).to_json() == text
    assert hash(LogFilter.from_json(text)) == hash(condition)


@settings(max_examples=100, deadline=None)
@given(st.text() | st.sampled_from(("{}", "[1]", '[{"kind": "activity"}]', "null", '["a"]')))
def test_an_address_that_no_filter_made_is_an_input_error(text: str) -> None:
    try:
        found = LogFilter.from_json(text)
    except InputError as error:
        assert error.hint
    else:
        assert found == LogFilter.from_json(found.to_json())
