from __future__ import annotations

import bz2
import gzip
import json
import lzma
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.sources.xes import XesFile
from miner.errors import InputError, LogFormatError, UnknownNameError
from tests.ingest.xes_logs import NAME, TIME, Reader, event, log, trace


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


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
    with pytest.raises(LogFormatError, match=r"is cut off|is damaged|not well-formed"):
        read(whole[: int(len(whole) * kept)])


def test_a_damaged_gzip_file_is_refused(read: Reader) -> None:
    whole = bytearray(gzip.compress(log(*[trace(event())] * 50).encode()))
    whole[-6] ^= 1
    with pytest.raises(LogFormatError, match="is damaged"):
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
    assert frame["attributes"][3:5].to_list() == [
        '{"k0": 2, "k1": 2}',
        '{"k0": 3, "k1": 3, "k2": 3}',
    ]
