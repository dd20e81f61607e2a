from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.jsonl import JsonLinesFile
from miner.errors import UnknownNameError
from tests.ingest.reading import file, opened, read, refusal, rejected

EVENT = {"case_id": "c1", "activity": "A", "timestamp": "2026-01-05T08:00:00Z"}


def lines(folder: Path, *events: Any, end: str = "\n") -> str:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in events]
    return file(folder, end.join([*texts, ""]), "log.jsonl")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_each_line_is_an_event(tmp_path: Path, end: str) -> None:
    frame = read(JsonLinesFile(lines(tmp_path, EVENT, EVENT | {"activity": "B"}, end=end)))
    assert frame.select("case_id", "activity", "timestamp", "position", "attributes").rows() == [
        ("c1", "A", datetime(2026, 1, 5, 8), 1, None),
        ("c1", "B", datetime(2026, 1, 5, 8), 2, None),
    ]


def test_the_file_may_be_packed(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(EVENT).encode())
    assert read(JsonLinesFile(file(tmp_path, packed)))["case_id"].to_list() == ["c1"]


def test_other_fields_are_attributes_as_they_are(tmp_path: Path) -> None:
    more = {"n": 1, "big": 2**70, "f": 1.5, "t": True, "x": None, "in": {"a": [1, {"b": None}]}}
    frame = read(JsonLinesFile(lines(tmp_path, EVENT | more, EVENT | {"other": "ü\n"})))
    first, second = (json.loads(each) for each in frame["attributes"])
    assert first == {"n": 1, "big": 2**70, "f": 1.5, "t": True, "in": {"a": [1, {"b": None}]}}
    assert second == {"other": "ü\n"}


def test_fields_of_the_case_are_found_on_any_line(tmp_path: Path) -> None:
    late = EVENT | {"case:region": "North", "case:size": 5, "case:none": None}
    frame = read(JsonLinesFile(lines(tmp_path, *[EVENT] * 3_000, late)))
    assert json.loads(frame["case_attributes"][-1]) == {"region": "North", "size": 5}
    assert frame["attributes"].null_count() == frame.height


def test_fields_inside_others_are_named_with_dots(tmp_path: Path) -> None:
    event = {"meta": {"order": {"no": 7}, "x": 1}, "what": "A", "at": 1767600000, "a.b": "Bo"}
    source = JsonLinesFile(
        lines(tmp_path, event),
        case="meta.order.no",
        activity="what",
        timestamp="at",
        resource="a.b",
    )
    [row] = read(source).rows(named=True)
    assert (row["case_id"], row["activity"], row["resource"]) == ("7", "A", "Bo")
    assert row["timestamp"] == datetime(2026, 1, 5, 8)
    assert json.loads(row["attributes"]) == {"meta": {"order": {"no": 7}, "x": 1}}


def test_a_field_may_be_given_that_only_later_lines_have(tmp_path: Path) -> None:
    path = lines(tmp_path, *[EVENT] * 3_000, EVENT | {"who": "Bo"})
    assert read(JsonLinesFile(path, resource="who"))["resource"][-1] == "Bo"
    with pytest.raises(UnknownNameError, match="whom"):
        read(JsonLinesFile(path, resource="whom"))


def test_broken_lines_are_rejected_one_by_one(tmp_path: Path) -> None:
    broken = ['{"case_id": "c1"', "[1, 2]", "17", '{"a": "\x01"}', "nonsense"]
    frame = read(JsonLinesFile(lines(tmp_path, EVENT, *broken, EVENT)))
    assert sorted(rejected(frame)) == sorted(
        [
            ("not valid JSON", broken[0]),
            ("no JSON object", broken[1]),
            ("no JSON object", broken[2]),
            ("not valid JSON", broken[3]),
            ("not valid JSON", broken[4]),
        ]
    )
    assert frame["case_id"].drop_nulls().to_list() == ["c1", "c1"]


def test_lines_without_what_an_event_needs_are_rejected(tmp_path: Path) -> None:
    nameless = {"activity": "A", "timestamp": "2026-01-05"}
    frame = read(JsonLinesFile(lines(tmp_path, EVENT, EVENT | {"activity": None}, nameless)))
    assert [reason for reason, _ in rejected(frame)] == [
        "no activity: column 'activity' is empty",
        "no case: column 'case_id' is empty",
    ]
    assert json.loads(rejected(frame)[1][1]) == nameless


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("[" + json.dumps(EVENT) + "]", "array"),
        (json.dumps(EVENT, indent=2), "No line"),
        ("case_id,activity\nc1,A\n", "No line"),
        ('{"a": 1}\n', "looks like the"),
    ],
)
def test_files_that_are_no_json_lines_are_refused(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(JsonLinesFile(file(tmp_path, content)))


def test_start_and_end_in_one_line_are_two_events(tmp_path: Path) -> None:
    event = {
        "case": "c1",
        "task": "A",
        "start": "2026-01-05 08:00",
        "end": "2026-01-05 09:00",
        "n": 1,
    }
    frame, notes = opened(JsonLinesFile(lines(tmp_path, event)))
    frame = frame.sort("timestamp")
    assert frame["lifecycle"].to_list() == ["start", "complete"]
    assert frame["attributes"].to_list() == [None, '{"n":1}']
    assert notes["start"].startswith("column 'start', by its name")


SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.text(max_size=6).map(lambda name: f"x{name}")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=10), st.booleans())
def test_attributes_are_what_json_wrote(
    tmp_path: Path, rows: list[dict[str, Any]], ascii_only: bool
) -> None:
    texts = [json.dumps(EVENT | row, ensure_ascii=ascii_only) for row in rows]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return
    frame = read(JsonLinesFile(lines(tmp_path, *texts)))
    assert rejected(frame) == []
    found = [json.loads(each) if each else {} for each in frame["attributes"]]
    assert found == [without_nulls(row) for row in rows]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return value
