from __future__ import annotations

import csv
import io
import re
import string
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.csv import CsvFile
from miner.errors import InputError, UnknownNameError
from tests.ingest.reading import file, opened, read, refusal, rejected, triples

PLAIN = "case_id,activity,timestamp\nc1,Create,2026-01-05 08:00:00\nc1,Pay,2026-01-05 09:00:00\n"


EVENTS = [
    ("c1", "Create", datetime(2026, 1, 5, 8)),
    ("c1", "Pay", datetime(2026, 1, 5, 9)),
]


def test_a_plain_file_gives_its_rows_in_order(tmp_path: Path) -> None:
    frame = read(CsvFile(file(tmp_path, PLAIN)))
    assert triples(frame) == EVENTS
    assert frame["position"].to_list() == [1, 2]
    assert frame["attributes"].null_count() == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = file(tmp_path, PLAIN.replace(",", delimiter))
    frame, notes = opened(CsvFile(path))
    assert triples(frame) == EVENTS
    assert notes["delimiter"] == repr(delimiter)


def test_a_delimiter_can_be_given_by_name(tmp_path: Path) -> None:
    assert (
        triples(read(CsvFile(file(tmp_path, PLAIN.replace(",", "\t")), delimiter="tab"))) == EVENTS
    )


def test_the_line_in_which_excel_names_the_delimiter_is_no_row(tmp_path: Path) -> None:
    path = file(tmp_path, "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"))
    assert triples(read(CsvFile(path))) == EVENTS


def test_ragged_rows_are_rejected_with_their_text(tmp_path: Path) -> None:
    frame = read(CsvFile(file(tmp_path, PLAIN + "c2,Create\nc3,Create,2026-01-05,more,yet\n")))
    assert triples(frame) == EVENTS
    assert rejected(frame) == [
        ("2 fields instead of 3", "c2,Create"),
        ("5 fields instead of 3", "c3,Create,2026-01-05,more,yet"),
    ]


def test_a_zero_byte_rejects_its_row(tmp_path: Path) -> None:
    frame = read(CsvFile(file(tmp_path, PLAIN + "c\0x,Create,2026-01-05\n")))
    assert triples(frame) == EVENTS
    assert rejected(frame) == [("a zero byte in a value", "c\0x,Create,2026-01-05")]


def test_a_stray_quote_rejects_its_row(tmp_path: Path) -> None:
    frame = read(CsvFile(file(tmp_path, PLAIN + 'c2,"Cre"ate,2026-01-05\nc3,5" disk,2026-01-05\n')))
    assert [reason for reason, _ in rejected(frame)] == [
        "a quote that is not closed, or text after a closing quote"
    ]
    assert frame["activity"].to_list()[2] == '5" disk'


def test_a_quote_that_swallows_the_rest_of_the_file_is_an_error(tmp_path: Path) -> None:
    text = PLAIN + 'c2,"Create,2026-01-05\n' + "c3,Create,2026-01-05\n" * 3
    said = refusal(CsvFile(file(tmp_path, text)))
    assert "Line 4" in said
    assert "3 more lines" in said


@pytest.mark.parametrize("rows", [3_000, 400_000])
def test_a_quote_that_swallows_much_of_the_file_is_an_error(tmp_path: Path, rows: int) -> None:
    text = PLAIN + 'c2,"Create,2026-01-05\n' + "c3,Create,2026-01-05\n" * rows
    assert "quote" in refusal(CsvFile(file(tmp_path, text + 'c4,"Create",2026-01-05\n')))


def test_a_field_that_is_too_long_rejects_its_row(tmp_path: Path) -> None:
    frame = read(
        CsvFile(file(tmp_path, PLAIN + f"c2,{'x' * 3_000_000},2026-01-05\nc3,A,2026-01-05\n"))
    )
    assert triples(frame)[2] == ("c3", "A", datetime(2026, 1, 5))
    [(reason, record)] = rejected(frame)
    assert reason == "longer than 2000000 bytes"
    assert record.startswith("c2,xxx")


def test_rows_without_case_activity_or_time_are_rejected(tmp_path: Path) -> None:
    rows = ",A,2026-01-05\nc2, ,2026-01-05\nc3,A,\nc4,A,oops\nc5,A,9999-12-31\nc6,A,1812-01-01\n"
    frame = read(CsvFile(file(tmp_path, PLAIN + rows)))
    assert triples(frame) == EVENTS
    assert rejected(frame) == [
        ("no case: column 'case_id' is empty", ",A,2026-01-05"),
        ("no activity: column 'activity' is empty", "c2, ,2026-01-05"),
        ("no timestamp: 'timestamp' empty", "c3,A,"),
        ("timestamp 'oops' cannot be read as a time", "c4,A,oops"),
        ("timestamp '9999-12-31' is not between 1900 and 2200", "c5,A,9999-12-31"),
        ("timestamp '1812-01-01' is not between 1900 and 2200", "c6,A,1812-01-01"),
    ]


def test_blanks_around_cases_and_activities_are_removed_and_told(tmp_path: Path) -> None:
    text = PLAIN.replace("Create", " Create\t") + '" c1","\u00a0Close",2026-01-05 10:00\n'
    frame, notes = opened(CsvFile(file(tmp_path, text)))
    assert frame["activity"].to_list() == ["Create", "Pay", "Close"]
    assert frame["case_id"].unique().to_list() == ["c1"]
    assert "2 values" in notes["activity"]


def test_numbers_that_are_names_stay_as_they_are_written(tmp_path: Path) -> None:
    text = "case_id,activity,timestamp\n1.0,01,2026-01-05\n007,1e5,2026-01-05\n"
    assert read(CsvFile(file(tmp_path, text)))["case_id"].to_list() == ["1.0", "007"]


def test_other_columns_are_attributes_without_the_empty_ones(tmp_path: Path) -> None:
    text = (
        'case_id,activity,timestamp,amount,"a ""b""",case:region,case:status\n'
        'c1,A,2026-01-05,5,"x,\n""y""",North,Completed\n'
        "c1,B,2026-01-05,,,,weird\n"
    )
    frame = read(CsvFile(file(tmp_path, text)))
    assert frame["attributes"].str.json_decode(
        pl.Struct({"amount": pl.String, 'a "b"': pl.String})
    )[0] == {"amount": "5", 'a "b"': 'x,\n"y"'}
    assert frame["attributes"][1] is None
    assert frame["case_status"].to_list() == ["completed", None]
    assert frame["case_attributes"].to_list() == [
        '{"region":"North","status":"Completed"}',
        '{"status":"weird"}',
    ]


def test_every_column_of_our_own_format_is_known(tmp_path: Path) -> None:
    text = (
        "case_id,event_id,activity,instance_id,lifecycle,timestamp,position,attempt,resource,"
        "resource_kind,error_type,error_message,process_version,parent_case_id,root_case_id\n"
        "c1,e1,A,i1,fail,2026-01-05,7,2,Bo,Bot,Timeout,too late,v3,c0,c00\n"
    )
    [row] = read(CsvFile(file(tmp_path, text))).rows(named=True)
    assert {name: value for name, value in row.items() if value is not None} == {
        "case_id": "c1",
        "event_id": "e1",
        "activity": "A",
        "instance_id": "i1",
        "lifecycle": "fail",
        "timestamp": datetime(2026, 1, 5),
        "position": 7,
        "attempt": 2,
        "resource": "Bo",
        "resource_kind": "system",
        "error_type": "Timeout",
        "error_message": "too late",
        "process_version": "v3",
        "parent_case_id": "c0",
        "root_case_id": "c00",
    }


def test_event_ids_that_repeat_are_not_taken_for_identities(tmp_path: Path) -> None:
    text = "case_id,activity,timestamp,event_id\nc1,A,2026-01-05,7\nc1,B,2026-01-05,7\n"
    frame, notes = opened(CsvFile(file(tmp_path, text)))
    assert frame["event_id"].null_count() == 2
    assert frame["attributes"][0] == '{"event_id":"7"}'
    assert "repeat" in notes["event_id"]
    given = read(CsvFile(file(tmp_path, text), event_id="event_id"))
    assert given["event_id"].to_list() == ["7", "7"]


def test_a_row_with_start_and_end_is_two_events(tmp_path: Path) -> None:
    text = (
        "case,activity,start_time,end_time,cost\n"
        "c1,A,2026-01-05 08:00,2026-01-05 09:00,5\n"
        "c1,B,2026-01-05 10:00,,6\n"
        "c1,C,NULL,2026-01-05 11:00,7\n"
        "c1,D,2026-01-05 12:00,2026-01-05 11:59,8\n"
        "c1,E,,,9\n"
    )
    frame = read(CsvFile(file(tmp_path, text))).sort("position", "timestamp", nulls_last=True)
    good = frame.filter(pl.col("reason").is_null())
    shared = "2026-01-05 08:00/2026-01-05 09:00"
    assert good.select(
        "activity", "lifecycle", "timestamp", "instance_id", "position", "attributes"
    ).rows() == [
        ("A", "start", datetime(2026, 1, 5, 8), shared, 1, None),
        ("A", "complete", datetime(2026, 1, 5, 9), shared, 1, '{"cost":"5"}'),
        ("B", "start", datetime(2026, 1, 5, 10), None, 2, '{"cost":"6"}'),
        ("C", "complete", datetime(2026, 1, 5, 11), None, 3, '{"cost":"7"}'),
    ]
    assert [reason for reason, _ in rejected(frame)] == [
        "end 2026-01-05 11:59 is before start 2026-01-05 12:00",
        "no timestamp: 'end_time' and 'start_time' empty",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("\ufeff\n\n  \n", "empty"),
        ("case_id,activity,timestamp\n", "no rows"),
        ("just one column\nand a value\n", "one column"),
        ("Case_ID,case_id,activity,timestamp\nc1,c1,A,2026-01-05\n", "More than one column"),
        ("case_id,case_id,activity,timestamp\nc1,c1,A,2026-01-05\n", "Several columns"),
        ("case_id,activity\nc1,A\n", "timestamp"),
        ("c1,A,2026-01-05\nc1,B,2026-01-06\n", "looks like the"),
        ("case_id,activity,timestamp\n1,2,3,4\n5,6,7,8\n", "No row"),
        (
            "case_id,activity,timestamp\n1,A,foo\n2,A,bar\n",
            "cannot be read as times",
        ),
    ],
)
def test_files_that_are_no_logs_are_refused(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(CsvFile(file(tmp_path, content)))


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "a,b,c,d\nx,1,2026-01-05,z\nx,2,2026-01-06,z\n"
    frame = read(CsvFile(file(tmp_path, text), case="d", activity="b", timestamp="c", resource="a"))
    assert frame.select("case_id", "activity", "resource").row(0) == ("z", "1", "x")
    with pytest.raises(UnknownNameError, match="column named 'activty'"):
        read(CsvFile(file(tmp_path, PLAIN), activity="activty"))


NASTY = "x\"; drop table t; --\n$1 {{}} \\ ' {0} ${a}"


def test_names_and_values_with_quotes_newlines_and_sql_are_inert(tmp_path: Path) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["case_id", NASTY, "timestamp", NASTY * 2])
    writer.writerow([NASTY, NASTY, "2026-01-05", NASTY])
    frame = read(CsvFile(file(tmp_path, buffer.getvalue()), activity=NASTY))
    assert frame.select("case_id", "activity").rows() == [(NASTY, NASTY)]
    assert frame["attributes"].str.json_decode(pl.Struct({NASTY * 2: pl.String}))[0] == {
        NASTY * 2: NASTY
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_head_of_several_lines_is_read(tmp_path: Path, end: str) -> None:
    text = PLAIN.replace("timestamp", '"time\nstamp"').replace("\n", end)
    name = f"time{end}stamp"
    assert triples(read(CsvFile(file(tmp_path, text), timestamp=name))) == EVENTS


def test_columns_with_the_same_name_are_attributes_under_different_names(tmp_path: Path) -> None:
    text = "case_id,activity,timestamp,note,note,\nc1,A,2026-01-05,1,2,3\n"
    frame, notes = opened(CsvFile(file(tmp_path, text)))
    assert frame["attributes"][0] == '{"note":"1","note_2":"2","column 6":"3"}'
    assert "columns" in notes
    assert "Several columns" in refusal(CsvFile(file(tmp_path, text), resource="note"))


def test_opening_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    with pytest.raises(InputError):
        CsvFile(file(tmp_path, "a,b,c\n1,2,3\n")).scan(connection)
    assert connection.sql("select count(*) from duckdb_tables()").fetchall() == [(0,)]
    connection.close()


TEXTS = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " ,;\t|\"'\n\r\\äßж漢.-:"), max_size=12
)


NAMES = st.lists(
    st.text(st.sampled_from("abcXYZ ,;\"'\nä_"), min_size=1, max_size=8).map(lambda t: f"x{t}x"),
    min_size=0,
    max_size=3,
    unique=True,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    names = ["case_id", "activity", "timestamp", *draw(NAMES)]
    texts = st.lists(TEXTS, min_size=len(names) - 3, max_size=len(names) - 3)
    key = TEXTS.map(lambda text: f"k{text}k")
    row = st.tuples(key, key, st.just("2026-01-05"), texts).map(lambda r: [*r[:3], *r[3]])
    return names, draw(st.lists(row, min_size=1, max_size=20))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    quote=st.sampled_from("\"'"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_csv_writes_is_read_back(
    tmp_path: Path,
    table: tuple[list[str], list[list[str]]],
    delimiter: str,
    quote: str,
    end: str,
    quoting: int,
) -> None:
    names, rows = table
    if quoting == csv.QUOTE_MINIMAL:  # Python leaves line ends other than its own unquoted
        names, *rows = [[re.sub("[\r\n]", "", text) for text in row] for row in [names, *rows]]
    if end != "\n":  # a mixture of line ends inside and outside of values is made one kind
        rows = [[re.sub("\r\n?", "\n", value) for value in row] for row in rows]
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting
    )
    writer.writerows([names, *rows])
    path = file(tmp_path, buffer.getvalue())
    frame = read(CsvFile(path, delimiter=delimiter, quote=quote, encoding="utf-8"))
    assert rejected(frame) == []
    frame = frame.sort("position")
    assert frame.select("case_id", "activity").rows() == [tuple(row[:2]) for row in rows]
    import json

    found = [json.loads(each) if each else {} for each in frame["attributes"]]
    assert found == [
        {name: value for name, value in zip(names[3:], row[3:], strict=True) if value}
        for row in rows
    ]
