"""Bad input ends in one sentence and the right exit code, or row by row in quarantine."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import polars as pl
import pytest

from tests.commands import GOOD, answer, load, refused, rejected, run, write
from tests.test_cli import procession


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "xes", "ocel"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\x00" * 100, b"\xff\xfe", random.Random(7).randbytes(200)],
    ids=["empty", "newlines", "nul", "byte-order-mark", "noise"],
)
def test_what_is_no_log_at_all(tmp_path: Path, source: str, content: bytes) -> None:
    refused(tmp_path, write(tmp_path, content, f"log.{source}"), source=source)


def test_a_header_only(tmp_path: Path) -> None:
    assert "log.csv" in refused(tmp_path, write(tmp_path, "case_id,activity,timestamp\n"))


@pytest.mark.parametrize("missing", ["case_id", "activity", "timestamp"])
def test_a_column_that_is_missing(tmp_path: Path, missing: str) -> None:
    frame = pl.read_csv(io.StringIO(GOOD)).drop(missing).with_columns(amount=1.5)
    said = refused(tmp_path, write(tmp_path, frame.write_csv()))
    word = {"case_id": "case", "activity": "activity", "timestamp": "timestamp"}[missing]
    assert f"--{word}" in said or word in said


def test_the_wrong_delimiter(tmp_path: Path) -> None:
    said = refused(tmp_path, write(tmp_path, GOOD), "--delimiter", ";")
    assert "delimiter" in said or "column" in said


def test_mixed_encodings_go_to_quarantine_row_by_row(tmp_path: Path) -> None:
    content = GOOD.encode() + "c3,Überprüfung,2026-01-07T08:00:00Z\n".encode()
    row = load(tmp_path, content + "c3,Prüfung,2026-01-07T09:00:00Z\n".encode("latin-1"))
    assert (row["new"], row["rejected"]) == (4, 1)
    assert "encoding" in rejected(tmp_path)[0][0]


def test_a_zero_byte_rejects_its_row(tmp_path: Path) -> None:
    row = load(tmp_path, GOOD.encode() + b"c3,A\x00B,2026-01-07T08:00:00Z\n")
    assert (row["new"], row["rejected"]) == (3, 1)


def test_ragged_rows_go_to_quarantine_whole(tmp_path: Path) -> None:
    row = load(tmp_path, GOOD + "c3,A\nc3,B,2026-01-07T08:00:00Z,more,and more\n")
    assert row["read"] == 5
    assert row["new"] + row["rejected"] == 5
    for _, record in rejected(tmp_path):
        assert record.startswith("c3,")
    assert row["rejected"] >= 1


def test_times_that_do_not_parse_go_to_quarantine(tmp_path: Path) -> None:
    bad = ("tomorrow", "2026-02-30T08:00:00Z", "", "2026-01-07T25:00:00Z")
    row = load(tmp_path, GOOD + "".join(f"c3,A,{text}\n" for text in bad))
    assert (row["new"], row["rejected"]) == (3, 4)
    assert {record for _, record in rejected(tmp_path)} == {f"c3,A,{text}" for text in bad}


def test_no_time_that_parses_at_all(tmp_path: Path) -> None:
    refused(tmp_path, write(tmp_path, "case_id,activity,timestamp\nc1,A,soon\nc1,B,later\n"))


def test_rows_without_a_case_or_an_activity_go_to_quarantine(tmp_path: Path) -> None:
    row = load(tmp_path, GOOD + ",A,2026-01-07T08:00:00Z\nc3,,2026-01-07T08:00:00Z\n")
    assert (row["new"], row["rejected"]) == (3, 2)
    assert sorted(reason.split(":")[0] for reason, _ in rejected(tmp_path)) == [
        "no activity",
        "no case",
    ]


def test_a_row_that_ends_before_it_starts_goes_to_quarantine(tmp_path: Path) -> None:
    text = (
        "case_id,activity,start_time,end_time\n"
        "c1,A,2026-01-05T09:00:00Z,2026-01-05T08:00:00Z\n"
        "c1,B,2026-01-05T10:00:00Z,2026-01-05T10:30:00Z\n"
    )
    row = load(tmp_path, text)
    assert (row["new"], row["rejected"]) == (2, 1)
    ((reason, record),) = rejected(tmp_path)
    assert "before" in reason
    assert record == "c1,A,2026-01-05T09:00:00Z,2026-01-05T08:00:00Z"


def test_a_negative_duration_across_rows_is_kept_and_has_no_service_time(tmp_path: Path) -> None:
    text = (
        "case_id,activity,timestamp,lifecycle,instance_id\n"
        "c1,A,2026-01-05T09:00:00Z,start,i1\n"
        "c1,A,2026-01-05T08:00:00Z,complete,i1\n"
        "c1,B,2026-01-05T10:00:00Z,start,i2\n"
        "c1,B,2026-01-05T10:30:00Z,complete,i2\n"
    )
    load(tmp_path, text)
    times = {row["activity"]: row for row in answer(tmp_path, "times", "p")}
    assert times["A"]["median_service_seconds"] is None
    assert times["B"]["median_service_seconds"] == 1800
    quality = {row["finding"]: row["count"] for row in answer(tmp_path, "quality", "p")}
    assert quality["instances that end before they start"] == 1


def test_cases_of_one_event_are_cases(tmp_path: Path) -> None:
    rows = "".join(f"c{number},A,2026-01-05T08:00:00Z\n" for number in range(50))
    load(tmp_path, "case_id,activity,timestamp\n" + rows)
    found = answer(tmp_path, "summary", "p")
    assert (found["cases"], found["median_cycle_time_seconds"]) == (50, 0)
    assert answer(tmp_path, "bottlenecks", "p") == []


BOMB = """<?xml version="1.0"?>
<!DOCTYPE log [
<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
<!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
]>
"""
TRACE = """<log><trace><string key="concept:name" value="c1"/><event>
<string key="concept:name" value="{name}"/>
<date key="time:timestamp" value="2026-01-05T08:00:00Z"/></event></trace></log>
"""


def test_an_xml_bomb_goes_off_nowhere(tmp_path: Path) -> None:
    started = time.monotonic()
    path = write(tmp_path, BOMB + TRACE.format(name="&f;"), "log.xes")
    result = run(tmp_path, "load", "xes", path, "--process", "p")
    assert result.exit_code == 2 and "Traceback" not in result.stderr
    assert time.monotonic() - started < 10


def test_external_entities_are_not_fetched(tmp_path: Path) -> None:
    write(tmp_path, "the secret", "secret.txt")
    doctype = f'<!DOCTYPE log [<!ENTITY x SYSTEM "file://{tmp_path}/secret.txt">]>'
    path = write(tmp_path, doctype + TRACE.format(name="A&x;"), "log.xes")
    result = run(tmp_path, "load", "xes", path, "--process", "p")
    assert "the secret" not in result.output
    if result.exit_code == 0:
        assert "the secret" not in json.dumps(answer(tmp_path, "variants", "p"))
    else:
        assert result.exit_code == 2


@pytest.mark.parametrize("source", ["csv", "jsonl", "xes"])
def test_a_gzip_bomb_is_not_unpacked_to_its_end(tmp_path: Path, source: str) -> None:
    member = gzip.compress(b"a" * (1 << 26), compresslevel=9)
    path = write(tmp_path, member * 64, f"log.{source}.gz")  # 4 GB in 4 MB
    started = time.monotonic()
    refused(tmp_path, path, source=source)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("source", ["csv", "jsonl", "xes"])
def test_a_gzip_that_is_cut_off(tmp_path: Path, source: str) -> None:
    texts = {
        "csv": GOOD * 500,
        "jsonl": json.dumps({"case_id": "c", "activity": "A", "timestamp": "2026-01-05"}) * 500,
        "xes": TRACE.format(name="A"),
    }
    packed = gzip.compress(texts[source].encode())
    path = write(tmp_path, packed[: len(packed) // 2], f"log.{source}.gz")
    assert "cut off" in refused(tmp_path, path, source=source)


def test_a_zip_is_said_to_be_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as packed:
        packed.writestr("log.csv", GOOD)
    refused(tmp_path, str(tmp_path / "log.zip"))


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "orders.csv")
    assert "There is no file" in refused(tmp_path, str(tmp_path / "nowhere" / "log.csv"))
    assert "Did you mean" in refused(tmp_path, str(tmp_path / "order.csv"))


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path, str(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.csv")
    assert "is no file" in refused(tmp_path, str(tmp_path / "log.csv"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    Path(path).chmod(0)
    assert "cannot be read" in refused(tmp_path, path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no such file here")
def test_a_file_whose_bytes_cannot_be_read(tmp_path: Path) -> None:
    refused(tmp_path, "/proc/self/mem")


def test_the_wrong_source_for_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    for source in ("xes", "parquet", "jsonl", "ocel"):
        refused(tmp_path, path, source=source)


def test_a_full_disk_ends_with_three_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; the load then goes through without it."""
    rows = "".join(f"c{n},A{n % 97},2026-01-05T08:00:00Z\n" for n in range(300_000))
    write(tmp_path, GOOD)
    procession("load", "csv", "log.csv", "--process", "p", folder=tmp_path)
    write(tmp_path, "case_id,activity,timestamp\n" + rows, "more.csv")
    command = ["load", "csv", "more.csv", "--process", "p"]
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from miner.__main__ import main\n"
        f"main({command!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    looked = procession("summary", "p", folder=tmp_path)
    assert json.loads(looked.stdout)["events"] == 3
    again = procession(*command, folder=tmp_path)
    assert json.loads(again.stdout)["read"] == 300_000
    assert json.loads(procession("summary", "p", folder=tmp_path).stdout)["events"] == 300_003


@pytest.mark.timeout(60)
def test_a_case_with_a_million_events(tmp_path: Path) -> None:
    number = pl.int_range(1_000_000, eager=True)
    frame = pl.DataFrame(
        {
            "case_id": pl.repeat("c1", 1_000_000, eager=True),
            "activity": "A" + (number % 7).cast(pl.String),
            "timestamp": pl.from_epoch(1_767_600_000 + number, time_unit="s"),
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    row = answer(
        tmp_path, "load", "parquet", str(tmp_path / "log.parquet"), "--process", "p",
        "--timezone", "UTC",
    )  # fmt: skip
    assert (row["new"], row["cases"]) == (1_000_000, 1)
    found = answer(tmp_path, "summary", "p")
    assert (found["events"], found["variants"], found["activities"]) == (1_000_000, 1, 7)
    assert sum(row["frequency"] for row in answer(tmp_path, "directly-follows", "p")) == 1_000_001
    for command in ("times", "bottlenecks", "failures", "rework", "handovers", "cases", "quality"):
        answer(tmp_path, command, "p")


@pytest.mark.timeout(120)
def test_a_hundred_thousand_activities(tmp_path: Path) -> None:
    number = pl.int_range(200_000, eager=True)
    frame = pl.DataFrame(
        {
            "case_id": "c" + (number // 100).cast(pl.String),
            "activity": "A" + (number % 100_000).cast(pl.String),
            "timestamp": pl.from_epoch(1_767_600_000 + number, time_unit="s"),
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    answer(
        tmp_path, "load", "parquet", str(tmp_path / "log.parquet"), "--process", "p",
        "--timezone", "UTC",
    )  # fmt: skip
    found = answer(tmp_path, "summary", "p")
    assert (found["events"], found["activities"]) == (200_000, 100_000)
    for command in ("times", "bottlenecks", "directly-follows", "quality"):
        answer(tmp_path, command, "p")
    answer(tmp_path, "map", "p", "--out", str(tmp_path / "map.svg"))
    assert (tmp_path / "map.svg").stat().st_size > 100


def test_a_store_in_a_place_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    write(tmp_path, "a file", "store")
    result = run(tmp_path, "load", "csv", path, "--process", "p")
    assert result.exit_code in (2, 3)
    assert "Traceback" not in result.stderr
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
