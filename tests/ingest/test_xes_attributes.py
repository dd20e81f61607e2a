from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from miner.errors import LogFormatError, UnknownNameError
from tests.ingest.xes_logs import NAME, TIME, Reader, event, log, members, trace


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_the_attributes_of_the_standard_become_columns(read: Reader) -> None:
    row = read.only(
        log(
            trace(
                event(
                    NAME,
                    TIME,
                    '<string key="org:resource" value="Ann"/>',
                    '<string key="lifecycle:transition" value="START"/>',
                    '<string key="concept:instance" value="7"/>',
                    '<id key="identity:id" value="0a"/>',
                )
            )
        )
    )
    assert {key: value for key, value in row.items() if value is not None} == {
        "case_id": "c",
        "event_id": "0a",
        "activity": "a",
        "instance_id": "7",
        "lifecycle": "START",
        "timestamp": datetime(2020, 1, 1, 8),
        "position": 0,
        "resource": "Ann",
    }


def test_roles_groups_and_costs_stay_attributes(read: Reader) -> None:
    found = read.attributes(
        '<string key="org:role" value="r"/><string key="org:group" value="g"/>',
        '<float key="cost:total" value="2.5"/>',
    )
    assert found == {"org:role": "r", "org:group": "g", "cost:total": 2.5}


def test_attributes_keep_their_types(read: Reader) -> None:
    assert read.attributes(
        '<string key="s" value="007"/><int key="i" value="7"/><float key="f" value="1.5"/>'
        '<boolean key="b" value="true"/><date key="d" value="2020-01-01T00:00:00+01:00"/>'
        '<id key="u" value="0a"/><list key="l"/><container key="c"/><string key="e" value=""/>'
    ) == {
        "s": "007",
        "i": 7,
        "f": 1.5,
        "b": True,
        "d": "2020-01-01T00:00:00+01:00",
        "u": "0a",
        "l": [],
        "c": {},
        "e": "",
    }


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        ("int", "99999999999999999999", "99999999999999999999"),
        ("int", "9223372036854775807", 9223372036854775807),
        ("int", "9007199254740993", 9007199254740993),
        ("int", "-0", 0),
        ("int", "+012", 12),
        ("float", "1e3", 1000.0),
        ("float", ".5", 0.5),
        ("float", "5.", 5.0),
        ("float", "NaN", "NaN"),
        ("float", "-INF", "-INF"),
        ("float", "1e999", "1e999"),
        ("boolean", "0", False),
        ("boolean", "True", True),
        ("date", "soon", "soon"),
    ],
)
def test_values_are_exact(read: Reader, kind: str, value: str, meant: object) -> None:
    nested = f'<container key="c"><{kind} key="k" value="{value}"/></container>'
    found = read.attributes(f'<{kind} key="k" value="{value}"/>{nested}')
    assert found == {"k": meant, "c": {"k": meant}}
    assert "attributes" not in read.notes


@pytest.mark.parametrize(
    ("kind", "value"), [("int", "abc"), ("int", "1.5"), ("float", "1,5"), ("boolean", "yes")]
)
def test_a_value_of_another_type_stays_text_and_is_noted(
    read: Reader, kind: str, value: str
) -> None:
    assert read.attributes(f'<{kind} key="k" value="{value}"/>') == {"k": value}
    assert (
        f"1 values are not of their type and stay text ({kind} k = {value})"
        in read.notes["attributes"]
    )


def test_lists_containers_and_nested_attributes_are_kept(read: Reader) -> None:
    assert read.attributes(
        '<list key="l"><values><int key="a" value="1"/><int key="a" value="2"/></values></list>'
        '<list key="o"><string key="" value="x"/><string key="" value="y"/></list>'
        '<container key="c"><int key="a" value="1"/><list key="m"/></container>'
        '<string key="n" value="v"><int key="p" value="1"><float key="q" value="2.5"/>'
        "</int></string>"
    ) == {
        "l": [{"a": 1}, {"a": 2}],
        "o": ["x", "y"],
        "c": {"a": 1, "m": []},
        "n": {"value": "v", "attributes": {"p": {"value": 1, "attributes": {"q": 2.5}}}},
    }


def test_a_nested_attribute_of_a_column_keeps_both(read: Reader) -> None:
    nested = '<string key="concept:name" value="a"><string key="lang" value="en"/></string>'
    row = read.only(log(trace(event(nested, TIME))))
    assert row["activity"] == "a"
    assert json.loads(row["attributes"], object_pairs_hook=members) == {
        "concept:name": {"value": "a", "attributes": {"lang": "en"}}
    }


def test_events_that_share_an_identity_are_noted(read: Reader) -> None:
    shared = '<id key="identity:id" value="0a"/>'
    assert read(log(trace(event(NAME, TIME, shared), event(NAME, TIME, shared)))).height == 2
    assert read.notes["event"].startswith("1 events have the identity:id of an earlier one")


def test_of_a_repeated_key_the_last_counts_and_it_is_noted(read: Reader) -> None:
    row = read.only(
        log(
            trace(
                event(
                    NAME,
                    TIME,
                    '<string key="concept:name" value="b"/><int key="k" value="1"/>',
                    '<string key="k" value="2"/>',
                )
            )
        )
    )
    assert (row["activity"], row["attributes"]) == ("b", '{"k": "2"}')
    assert read.notes["attributes"].startswith("2 attributes repeat a key")


def test_an_attribute_without_key_or_value_is_noted(read: Reader) -> None:
    frame = read(log(trace(event(NAME, TIME, '<string value="x"/><string key="k"/>'))))
    assert frame["attributes"].to_list() == [None]
    assert read.notes["attributes"].startswith("2 attributes without a key or a value")


def test_elements_beyond_the_standard_are_read_as_text_and_noted(read: Reader) -> None:
    assert read.attributes('<decimal key="k" value="1.50"/>') == {"k": "1.50"}
    assert "<decimal>" in read.notes["attributes"]


def test_attributes_of_event_and_trace_of_one_name_stay_apart(read: Reader) -> None:
    row = read.only(
        log(
            trace(
                event(NAME, TIME, '<string key="case:status" value="of event"/>'),
                attributes=NAME + '<string key="status" value="of trace"/>',
            )
        )
    )
    assert json.loads(row["attributes"]) == {"case:status": "of event"}
    assert json.loads(row["case_attributes"]) == {"status": "of trace"}
    assert row["case_status"] is None


def test_a_case_id_is_text_whatever_its_type(read: Reader) -> None:
    frame = read(
        log(
            trace(event(), attributes='<int key="concept:name" value="7"/>'),
            trace(event(), attributes='<string key="concept:name" value="007"/>'),
        )
    )
    assert frame["case_id"].to_list() == ["7", "007"]


def test_trace_attributes_after_the_events_count_too(read: Reader) -> None:
    late = '<string key="concept:name" value="late"/><int key="n" value="1"/>'
    row = read.only(log(trace(event(), late, attributes="")))
    assert (row["case_id"], row["case_attributes"]) == ("late", '{"n": 1}')


def test_traces_of_one_name_are_one_case_and_it_is_noted(read: Reader) -> None:
    frame = read(log(trace(event()), trace(event()), trace(event(), attributes=NAME)))
    assert frame["case_id"].to_list() == ["c", "c", "a"]
    assert read.notes["case"].startswith("1 traces have the name of an earlier one")


def test_a_trace_without_a_name_is_called_by_its_place(read: Reader) -> None:
    identified = '<id key="identity:id" value="0b"/>'
    frame = read(
        log(
            trace(event()),
            trace(event(), attributes=""),
            trace(event(), attributes=identified),
        )
    )
    assert frame["case_id"].to_list() == ["c", "trace 2", "0b"]
    assert read.notes["case"].startswith("2 traces have no name")


def test_a_trace_without_events_is_noted(read: Reader) -> None:
    assert read(log(trace(), trace(event()))).height == 1
    assert read.notes["case"] == "1 traces have no events and become no case."


def test_globals_are_not_filled_in(read: Reader) -> None:
    head = (
        '<global scope="event"><string key="concept:name" value="UNKNOWN"/>'
        '<string key="org:resource" value="UNKNOWN"/></global>'
        '<global scope="trace"><string key="concept:name" value="UNKNOWN"/></global>'
        '<string key="of the log" value="x"><int key="n" value="1"/></string>'
    )
    row = read.only(log(trace(event()), head=head))
    assert (row["case_id"], row["activity"], row["resource"]) == ("c", "a", None)
    assert row["attributes"] is None


def test_an_extension_may_have_another_prefix(read: Reader) -> None:
    head = '<extension name="C" prefix="c" uri="http://www.xes-standard.org/concept.xesext"/>'
    renamed = '<string key="c:name" value="b"/><string key="concept:name" value="plain"/>'
    row = read.only(log(trace(event(renamed, TIME), attributes=renamed), head=head))
    assert (row["case_id"], row["activity"]) == ("b", "b")
    assert row["attributes"] == '{"concept:name": "plain"}'
    with pytest.raises(LogFormatError, match="after its first trace"):
        read(log(trace(event()), head))


CLASSIFIERS = (
    '<classifier name="Both" keys="concept:name lifecycle:transition"/>'
    "<classifier name='Quoted' keys=\"'the step' concept:name\"/>"
    '<classifier name="Step" keys="step"/>'
)


@pytest.mark.parametrize(
    ("activity", "meant", "attributes"),
    [
        ("Both", "a+start", {"concept:name": "a", "step": "s", "the step": "t"}),
        ("Quoted", "t+a", {"concept:name": "a", "step": "s", "the step": "t"}),
        ("Step", "s", {"concept:name": "a", "the step": "t"}),
        ("the step", "t", {"concept:name": "a", "step": "s"}),
        ("concept:name", "a", {"step": "s", "the step": "t"}),
    ],
)
def test_a_classifier_or_a_key_can_name_the_activity(
    read: Reader, activity: str, meant: str, attributes: dict[str, str]
) -> None:
    more = '<string key="lifecycle:transition" value="start"/><string key="step" value="s"/>'
    content = event(NAME, TIME, more, '<string key="the step" value="t"/>')
    row = read.only(log(trace(content), head=CLASSIFIERS), activity=activity)
    assert (row["activity"], row["lifecycle"]) == (meant, "start")
    assert json.loads(row["attributes"]) == attributes


def test_an_activity_nobody_has_is_an_unknown_name(read: Reader) -> None:
    with pytest.raises(UnknownNameError, match="'Stp'") as refused:
        read(log(trace(event()), head=CLASSIFIERS), activity="Stp")
    assert refused.value.hint == "Did you mean 'Step'?"


def test_our_own_exports_bring_back_what_has_no_key_in_the_standard(read: Reader) -> None:
    verdict = '<string key="procession:status" value="{}"/>'
    content = log(
        trace(
            event(NAME, TIME, '<int key="procession:attempt" value="2"/>'),
            attributes=verdict.format("failed"),
        ),
        trace(event(), attributes=verdict.format("odd")),
    )
    frame = read(content)
    assert frame["case_status"].to_list() == ["failed", None]
    assert frame["attempt"].to_list() == [2, None]
    assert frame["case_attributes"].to_list() == [None, '{"procession:status": "odd"}']
