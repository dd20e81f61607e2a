from __future__ import annotations

import gzip
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ingest.sources.xes import XesFile
from miner.errors import InputError
from miner.eventlog.schema import BATCH, CASE_STATUS
from miner.eventlog.xes_writer import TAKEN, write_xes

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8).filter(
    lambda text: not any((c < " " and c not in "\t\n\r") or c in "\ufffe\uffff" for c in text)
)
NAME = TEXT.filter(bool)
SCALAR = (
    TEXT
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUE = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=5
)
ATTRIBUTES = st.none() | st.dictionaries(
    TEXT.filter(lambda key: key not in TAKEN), VALUE, min_size=1, max_size=3
).map(json.dumps)
CASE = st.fixed_dictionaries(
    {
        "case_id": NAME,
        "case_status": st.none() | st.sampled_from(CASE_STATUS),
        "parent_case_id": st.none() | NAME,
        "root_case_id": st.none() | NAME,
        "case_attributes": ATTRIBUTES,
    }
)
EVENT = st.fixed_dictionaries(
    {
        "activity": NAME,
        "timestamp": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 30)),
        **{
            column: st.none() | NAME
            for column in (
                *("event_id", "activity_id", "instance_id", "lifecycle", "resource"),
                *("resource_kind", "error_type", "error_message", "process_version"),
            )
        },
        "attempt": st.none() | st.integers(1, 2**31 - 1),
        "version": st.none() | st.integers(-(2**63), 2**63 - 1),
        "attributes": ATTRIBUTES,
    }
)
LOG = st.lists(
    st.tuples(CASE, st.lists(EVENT, min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
    unique_by=lambda case: case[0]["case_id"],
)


def frame_of(log: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> pl.DataFrame:
    rows = [{**case, **event} for case, events in log for event in events]
    return pl.DataFrame(rows, schema=BATCH).with_columns(pl.int_range(pl.len()).alias("position"))


def comparable(frame: pl.DataFrame) -> list[dict[str, Any]]:
    rows = frame.sort("position").to_dicts()
    for row in rows:
        for column in ("attributes", "case_attributes"):
            row[column] = row[column] and json.loads(row[column])
    return rows


def read(path: Path) -> pl.DataFrame:
    return pl.concat(XesFile(str(path)).read())


@settings(max_examples=60, deadline=None)
@given(LOG, st.integers(1, 20), st.sampled_from(["log.xes", "log.xes.gz"]))
def test_what_is_written_is_what_is_read(
    log: list[tuple[dict[str, Any], list[dict[str, Any]]]], size: int, name: str
) -> None:
    frame = frame_of(log)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_xes(frame.iter_slices(size), path, name="log")
        assert comparable(read(path)) == comparable(frame)


def test_the_file_says_what_its_keys_mean(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    write_xes([one()], path, name='a "log" & more')
    root = etree.parse(path).getroot()
    prefix = "{http://www.xes-standard.org/}"
    assert root.tag == f"{prefix}log"
    assert root.get("xes.version") == "2.0"
    order = [element.tag.removeprefix(prefix) for element in root]
    assert order == ["extension"] * 5 + ["global"] * 2 + ["classifier"] * 2 + ["string", "trace"]
    assert root.find(f"{prefix}string").get("value") == 'a "log" & more'


def one(**columns: Any) -> pl.DataFrame:
    row = {"case_id": "c", "activity": "a", "timestamp": datetime(2024, 1, 1), **columns}
    return pl.DataFrame([row], schema_overrides={"timestamp": BATCH["timestamp"]})


@pytest.mark.parametrize(
    ("activity", "meant"),
    [
        ("a\0b\x1b[31m", "a␀b␛[31m"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("\x7f\x85\u2028", "\x7f\x85\u2028"),
    ],
)
def test_characters_that_xml_forbids_are_shown(tmp_path: Path, activity: str, meant: str) -> None:
    path = tmp_path / "log.xes"
    attributes = json.dumps({f"k{activity}": activity})
    write_xes([one(activity=activity, attributes=attributes)], path, name=activity)
    [row] = read(path).to_dicts()
    assert row["activity"] == meant
    assert json.loads(row["attributes"]) == {f"k{meant}": meant}


def test_values_have_the_elements_of_their_types(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    attributes = {
        "s": "x",
        "i": 1,
        "f": 1.5,
        "b": True,
        "d": "2024-01-01T00:00:00+01:00",
        "n": None,
        "l": [1],
        "c": {"k": 1},
        "m": {"value": "v", "attributes": {"k": 1}},
    }
    write_xes([one(attributes=json.dumps(attributes))], path, name="log")
    event = next(etree.parse(path).getroot().iter("{*}event"))
    kinds = [(etree.QName(a).localname, a.get("key")) for a in event]
    assert kinds == [
        ("string", "concept:name"),
        ("date", "time:timestamp"),
        ("string", "s"),
        ("int", "i"),
        ("float", "f"),
        ("boolean", "b"),
        ("date", "d"),
        ("list", "l"),
        ("container", "c"),
        ("string", "m"),
    ]


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (datetime(2024, 1, 1, 10), "2024-01-01T10:00:00.000+00:00"),
        (datetime(2024, 1, 1, 10, 0, 0, 1), "2024-01-01T10:00:00.000001+00:00"),
    ],
)
def test_microseconds_are_written_only_where_they_are(
    tmp_path: Path, time: datetime, written: str
) -> None:
    path = tmp_path / "log.xes"
    write_xes([one(timestamp=time)], path, name="log")
    assert f'value="{written}"' in path.read_text()


def test_a_key_that_belongs_to_a_column_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    write_xes([one(attributes='{"concept:name": "other"}')], path, name="log")
    [row] = read(path).to_dicts()
    assert (row["activity"], row["attributes"]) == ("a", '{"attribute:concept:name": "other"}')


def test_numbers_are_written_digit_by_digit(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    attributes = '{"price": 1.10, "long": 9007199254740993, "huge": 99999999999999999999}'
    write_xes([one(attributes=attributes)], path, name="log")
    assert read(path)["attributes"].to_list() == [
        '{"price": 1.10, "long": 9007199254740993, "huge": "99999999999999999999"}'
    ]


def test_rejected_rows_are_no_events(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    write_xes([one(), one(reason="no timestamp"), one()], path, name="log")
    assert read(path).height == 2


def test_a_case_may_go_on_in_the_next_frame(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    frames = [one(), one().clear(), one(), one(case_id="d")]
    write_xes(frames, path, name="log")
    traces = list(etree.parse(path).getroot().iter("{*}trace"))
    assert [len(list(trace.iter("{*}event"))) for trace in traces] == [2, 1]


def test_no_events_make_a_log_without_traces(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    write_xes([], path, name="log")
    assert list(etree.parse(path).getroot().iter("{*}trace")) == []


def test_the_same_events_make_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.xes.gz", tmp_path / "b.xes.gz"]
    for path in paths:
        write_xes([one()], path, name="log")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert gzip.decompress(paths[0].read_bytes()).startswith(b"<?xml")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text("old")

    def frames() -> Any:
        yield one()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_xes(frames(), path, name="log")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_xes([one()], tmp_path / "missing" / "log.xes", name="log")


@pytest.mark.parametrize("name", ["sepsis", "helpdesk"])
def test_a_real_log_survives(tmp_path: Path, shared_logs: Path, name: str) -> None:
    log = read(shared_logs / "real" / f"{name}.xes.gz").sort("position")
    path = tmp_path / "log.xes.gz"
    write_xes(log.iter_slices(1000), path, name=name)
    assert read(path).sort("position").equals(log)
