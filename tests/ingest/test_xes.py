from __future__ import annotations

import bz2
import gzip
import json
import lzma
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from ingest.sources.xes import XesFile
from miner.errors import InputError, LogFormatError, UnknownNameError
from miner.eventlog.schema import BATCH

NAME = '<string key="concept:name" value="a"/>'
TIME = '<date key="time:timestamp" value="2020-01-01T10:00:00+02:00"/>'


def log(*traces: str, head: str = "", declaration: str = '<?xml version="1.0"?>') -> str:
    return f"{declaration}<log>{head}{''.join(traces)}</log>"


def trace(*events: str, attributes: str = '<string key="concept:name" value="c"/>') -> str:
    return f"<trace>{attributes}{''.join(events)}</trace>"


def event(*attributes: str) -> str:
    return f"<event>{''.join(attributes or (NAME, TIME))}</event>"


class Reader:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.xes"
        self.notes: dict[str, str] = {}

    def __call__(self, content: str | bytes, **options: Any) -> pl.DataFrame:
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        connection = duckdb.connect()
        try:
            with XesFile(str(self.path), **options).scan(connection) as opened:
                self.notes = {}
                for note in opened.notes:
                    self.notes.setdefault(note.subject, note.text)
                frame = connection.sql(f"{opened.select} order by position").pl()
            assert connection.sql("from duckdb_tables()").fetchall() == []
        finally:
            connection.close()
        assert frame.schema == BATCH
        return frame

    def only(self, content: str | bytes, **options: Any) -> dict[str, Any]:
        [row] = self(content, **options).to_dicts()
        return row

    def attributes(self, *attributes: str) -> Any:
        row = self.only(log(trace(event(NAME, TIME, *attributes))))
        return json.loads(row["attributes"])


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("R&amp;D", "R&D"),
        ("&lt;b&gt;", "<b>"),
        ("&#228;", "ä"),
        ("A > B", "A > B"),
        ("a&#10;b&#9;c&#13;d", "a\nb\tc\rd"),
        ("it's", "it's"),
        ("say &quot;x&quot; \\", 'say "x" \\'),
        ("\u202eevil", "\u202eevil"),
        ("'; drop table event; --", "'; drop table event; --"),
    ],
)
def test_text_is_read_as_xml_means_it(read: Reader, written: str, meant: str) -> None:
    named = f'<string key="concept:name" value="{written}"/><string key="{written}" value="v"/>'
    row = read.only(log(trace(event(named, TIME))))
    assert row["activity"] == meant
    assert json.loads(row["attributes"]) == {meant: "v"}
    assert row["timestamp"] == datetime(2020, 1, 1, 8)


def test_events_in_comments_and_character_data_are_no_events(read: Reader) -> None:
    hidden = f"<!-- {event()} --><![CDATA[{event()}]]>"
    assert read(log(trace(event(), hidden))).height == 1


def test_single_quotes_and_value_before_key_are_fine(read: Reader) -> None:
    row = read.only(
        log(
            trace(
                "<event><string value='b' key='concept:name'/>"
                "<date value='2020-01-01T10:00:00Z' key='time:timestamp'/></event>"
            )
        )
    )
    assert (row["activity"], row["timestamp"]) == ("b", datetime(2020, 1, 1, 10))


def test_line_breaks_make_no_difference(read: Reader) -> None:
    one_line = log(trace(event(), event()), trace(event(), attributes=NAME))
    lines = one_line.replace("><", ">\r\n\t<")
    assert read(one_line).equals(read(lines))


@pytest.mark.parametrize("prefix", ["xes:", "x:", ""])
def test_elements_may_have_a_namespace(read: Reader, prefix: str) -> None:
    text = log(trace(event(NAME, TIME, '<int key="n" value="1"/>')))
    text = text.replace("<?", "§").replace("</", "¶").replace("<", f"<{prefix}")
    text = text.replace("¶", f"</{prefix}").replace("§", "<?")
    declared = f"xmlns{':' if prefix else ''}{prefix.rstrip(':')}='http://www.xes-standard.org/'"
    row = read.only(text.replace(f"<{prefix}log", f"<{prefix}log {declared}", 1))
    assert (row["case_id"], row["activity"], row["attributes"]) == ("c", "a", '{"n": 1}')


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_packed_files_are_known_by_their_content(read: Reader, pack: Any) -> None:
    assert read(pack(log(trace(event())).encode())).height == 1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_refused_whole(read: Reader, pack: Any, kept: float) -> None:
    whole = pack(log(*[trace(event(), event())] * 200).encode())
    with pytest.raises(LogFormatError, match=r"cannot be unpacked|not well-formed"):
        read(whole[: int(len(whole) * kept)])


def test_a_damaged_gzip_file_is_refused(read: Reader) -> None:
    whole = bytearray(gzip.compress(log(*[trace(event())] * 50).encode()))
    whole[-6] ^= 1
    with pytest.raises(LogFormatError, match="cannot be unpacked"):
        read(bytes(whole))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\0" * 3, "is not XML"),
        ("case,activity\n1,a", "is not XML: it starts with b'case,activity"),
        ("<html><body><p>Log in<br></body></html>", "is a web page"),
        ("<!DOCTYPE html><html></html>", "is a web page"),
        ("<html></html>", "is a web page"),
        ("<ocel></ocel>", "outermost element is <ocel>"),
        ("<log></log>", "has no events"),
        (log(trace()), "has no events"),
        (log(trace(event())) + "<log/>", "not well-formed"),
        (log(trace(event(event()))), "<event> inside of an <event>"),
        (log(trace(trace(event()))), "<trace> inside of an <trace>"),
        (log(trace(event('<string key="a" value="\x01"/>'))), "not well-formed"),
        (log(trace(event('<string key="a" value="&#0;"/>'))), "not well-formed"),
        (log(trace(event('<string key="a" value="&bomb;"/>'))), "not well-formed"),
        (b"PK\x03\x04rest", "is a zip archive"),
    ],
)
def test_what_is_no_log_is_refused_with_a_sentence(
    read: Reader, content: str | bytes, message: str
) -> None:
    with pytest.raises(LogFormatError, match=message) as refused:
        read(content)
    assert refused.value.hint
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("place", ["missing.xes", "."])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        next(XesFile(str(tmp_path / place)).read())


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-16LE", "windows-1252", "UTF-8"])
def test_the_declared_encoding_is_obeyed(read: Reader, encoding: str) -> None:
    text = log(
        trace(event('<string key="concept:name" value="Prüfung"/>', TIME)),
        declaration=f'<?xml version="1.0" encoding="{encoding}"?>',
    )
    assert read.only(text.encode(encoding))["activity"] == "Prüfung"


def test_bytes_that_are_not_in_the_declared_encoding_are_refused(read: Reader) -> None:
    text = log(trace(event('<string key="concept:name" value="Prüfung"/>', TIME)))
    with pytest.raises(LogFormatError, match="not well-formed"):
        read(text.encode("latin-1"))


def test_a_byte_order_mark_is_no_content(read: Reader) -> None:
    assert read(log(trace(event())).encode("utf-8-sig")).height == 1


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
    assert f"1 values are not of their type and stay text ({kind} k = {value})" in read.notes[
        "attributes"
    ]


def test_lists_containers_and_nested_attributes_are_kept(read: Reader) -> None:
    assert read.attributes(
        '<list key="l"><values><int key="a" value="1"/><int key="a" value="2"/></values></list>'
        '<list key="o"><string key="" value="x"/><string key="" value="y"/></list>'
        '<container key="c"><int key="a" value="1"/><list key="m"/></container>'
        '<string key="n" value="v"><int key="p" value="1"><float key="q" value="2.5"/></int></string>'
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
    assert json.loads(row["attributes"]) == {
        "concept:name": {"value": "a", "attributes": {"lang": "en"}}
    }


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (event(NAME, '<date key="time:timestamp" value="oops"/>'), "not a timestamp: oops"),
        (event(NAME), "no timestamp"),
        (event(TIME), "no activity: the event has no concept:name"),
        (event('<string key="concept:name" value=""/>', TIME), "no activity"),
    ],
)
def test_an_event_that_cannot_be_used_is_rejected_alone(
    read: Reader, content: str, reason: str
) -> None:
    frame = read(log(trace(event(), content, event())))
    assert frame["reason"].is_null().to_list() == [True, False, True]
    assert frame["reason"][1].startswith(reason)
    assert frame["position"].to_list() == [0, 1, 2]
    assert frame["record"].is_null().to_list() == [True, False, True]
    assert json.loads(frame["record"][1]).keys() <= {"concept:name", "time:timestamp"}


def test_an_event_outside_of_any_trace_is_rejected(read: Reader) -> None:
    frame = read(log(trace(event()), event()))
    assert frame["reason"].to_list() == [None, "an event outside of any trace"]


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


def test_naive_times_are_local_in_the_given_zone_and_noted(read: Reader) -> None:
    content = log(
        trace(
            event(NAME, '<date key="time:timestamp" value="2020-07-01T12:00:00"/>'),
            event(NAME, '<date key="time:timestamp" value="2020-10-25T02:30:00"/>'),
            event(NAME, '<date key="time:timestamp" value="2020-03-29T02:30:00.000"/>'),
            event(NAME, '<date key="time:timestamp" value="2020-07-01T12:00:00Z"/>'),
        )
    )
    assert read(content)["timestamp"][0] == datetime(2020, 7, 1, 12)
    assert read.notes["timestamp"].startswith("3 timestamps without an offset were read as UTC")
    local = read(content, timezone="Europe/Berlin")
    assert local["timestamp"].to_list() == [
        datetime(2020, 7, 1, 10),
        None,
        None,
        datetime(2020, 7, 1, 12),
    ]
    assert "twice, in Europe/Berlin: 2020-10-25T02:30:00" in local["reason"][1]
    with pytest.raises(UnknownNameError, match="time zone"):
        read(content, timezone="Europe/Berln")


def test_our_own_exports_bring_back_what_has_no_key_in_the_standard(read: Reader) -> None:
    verdict = '<string key="procession:status" value="{}"/>'
    content = log(
        trace(event(NAME, TIME, '<int key="procession:attempt" value="2"/>'), attributes=verdict.format("failed")),
        trace(event(), attributes=verdict.format("odd")),
    )
    frame = read(content)
    assert frame["case_status"].to_list() == ["failed", None]
    assert frame["attempt"].to_list() == [2, None]
    assert frame["case_attributes"].to_list() == [None, '{"procession:status": "odd"}']


def test_a_scan_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text(log(*[trace(event())] * 60_000)[:-5])
    with duckdb.connect() as connection:
        with pytest.raises(LogFormatError):
            XesFile(str(path)).scan(connection)
        assert connection.sql("from duckdb_tables()").fetchall() == []
        assert connection.sql("from duckdb_views() where not internal").fetchall() == []


def test_batches_do_not_show(read: Reader) -> None:
    many = trace(
        *(
            event(
                f'<string key="concept:name" value="{n}"/>',
                TIME,
                *([f'<int key="k{k}" value="{n}"/>' for k in range(n % 4)]),
            )
            for n in range(120_000)
        ),
        '<int key="late" value="1"/>',
    )
    frame = read(log(trace(event()), many.replace('"c"', '"d"'), trace(event())))
    assert frame["activity"].to_list()[1:-1] == [str(n) for n in range(120_000)]
    assert frame["case_id"].to_list() == ["c", *["d"] * 120_000, "c"]
    assert frame["case_attributes"].to_list() == [None, *['{"late": 1}'] * 120_000, None]
    assert frame["attributes"][3:5].to_list() == ['{"k0": 2, "k1": 2}', '{"k0": 3, "k1": 3, "k2": 3}']
