from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import zstandard

from ingest import unpack
from ingest.sources.csv import CsvFile
from ingest.tables import text_files
from miner.errors import InputError, LogFormatError, UnknownNameError
from tests.ingest.reading import file, opened, read, refusal, rejected, triples

PLAIN = "case_id,activity,timestamp\nc1,Create,2026-01-05 08:00:00\nc1,Pay,2026-01-05 09:00:00\n"
EVENTS = [
    ("c1", "Create", datetime(2026, 1, 5, 8)),
    ("c1", "Pay", datetime(2026, 1, 5, 9)),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_one_way(tmp_path: Path, end: str) -> None:
    assert triples(read(CsvFile(file(tmp_path, PLAIN.replace("\n", end))))) == EVENTS


def test_lines_may_end_in_different_ways(tmp_path: Path) -> None:
    text = "case_id,activity,timestamp\r\nc1,Create,2026-01-05 08:00\nc1,Pay,2026-01-05 09:00\r"
    frame, notes = opened(CsvFile(file(tmp_path, text)))
    assert triples(frame) == EVENTS
    assert "line ends" in notes


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    text = "\n\n" + PLAIN.replace("\n", "\n\n  \n") + "\n\n"
    frame = read(CsvFile(file(tmp_path, text)))
    assert triples(frame) == EVENTS
    assert rejected(frame) == []


@pytest.mark.parametrize(
    ("pack", "ending"),
    [
        (gzip.compress, "gz"),
        (bz2.compress, "bz2"),
        (lzma.compress, "xz"),
        (zstandard.ZstdCompressor().compress, "zst"),
    ],
)
def test_compression_is_told_by_the_contents(
    tmp_path: Path, pack: Callable[[bytes], bytes], ending: str
) -> None:
    packed = pack(PLAIN.encode())
    assert triples(read(CsvFile(file(tmp_path, packed, "whatever.csv")))) == EVENTS
    half = file(tmp_path, packed[: len(packed) * 2 // 3], f"half.csv.{ending}")
    assert "cut off" in refusal(CsvFile(half)) or "damaged" in refusal(CsvFile(half))


def test_several_packed_files_in_a_row_are_one(tmp_path: Path) -> None:
    first, second = PLAIN[:60].encode(), PLAIN[60:].encode()
    for pack in (gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress):
        assert triples(read(CsvFile(file(tmp_path, pack(first) + pack(second))))) == EVENTS


def test_a_gzip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "FREELY", 1 << 20)
    bomb = file(tmp_path, gzip.compress(b"a,b,c\n" + b"0" * 30_000_000), "bomb.csv.gz")
    assert "attack" in refusal(CsvFile(bomb))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    text = PLAIN.replace("Create", "Prüfung der Unterlagen für Frau Müller aus Köln")
    frame = read(CsvFile(file(tmp_path, text.encode(encoding))))
    assert frame["activity"][0] == "Prüfung der Unterlagen für Frau Müller aus Köln"


def test_an_encoding_that_was_guessed_is_told(tmp_path: Path) -> None:
    _, notes = opened(CsvFile(file(tmp_path, PLAIN.replace("Pay", "Zurück").encode("latin-1"))))
    assert "not UTF-8" in notes["encoding"]


def test_an_encoding_can_be_given(tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN.replace("Pay", "Zapłać").encode("cp1250"))
    assert read(CsvFile(path, encoding="cp1250"))["activity"][1] == "Zapłać"
    with pytest.raises(UnknownNameError, match="cp12500"):
        read(CsvFile(path, encoding="cp12500"))
    with pytest.raises(LogFormatError, match="not ascii"):
        read(CsvFile(path, encoding="ascii"))


def test_lines_in_another_encoding_than_the_rest_are_rejected(tmp_path: Path) -> None:
    lines = PLAIN.replace("Create", "Prüfen").encode() + "c1,Zurück,2026-01-05\n".encode("latin-1")
    frame, notes = opened(CsvFile(file(tmp_path, lines)))
    assert frame["activity"].to_list()[:2] == ["Prüfen", "Pay"]
    assert rejected(frame) == [("not in the encoding of the file", "c1,Zur\\xfcck,2026-01-05")]
    assert "encoding" in notes


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    assert "Parquet" in refusal(CsvFile(file(tmp_path, b"PAR1....", "x.csv")))
    assert "ZIP" in refusal(CsvFile(file(tmp_path, b"PK\x03\x04....", "x.csv")))
    assert "XML" in refusal(CsvFile(file(tmp_path, b"<?xml version='1.0'?>", "x.csv")))


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    assert "no file" in refusal(CsvFile(str(tmp_path / "nothing.csv")))
    assert "folder" in refusal(CsvFile(str(tmp_path)))


def test_a_path_is_a_path_and_not_a_pattern(tmp_path: Path) -> None:
    file(tmp_path, PLAIN.replace("c1", "wrong"), "log1.csv")
    assert triples(read(CsvFile(file(tmp_path, PLAIN, "log[1].csv")))) == EVENTS
    assert triples(read(CsvFile(file(tmp_path, PLAIN, "it's *.csv")))) == EVENTS


def test_a_full_disk_is_told_in_a_sentence() -> None:
    with pytest.raises(InputError, match="disk is full"):
        text_files._write(Path("/dev/full"), [b"x" * 10_000_000])
