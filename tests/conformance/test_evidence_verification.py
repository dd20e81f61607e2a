"""Checking a pack: no byte of it can change without being told."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.evidence.archive import Archive
from miner.conformance.evidence.manifest import Entry, Manifest, read_manifest
from miner.conformance.evidence.verification import Verdict, verify
from miner.errors import InputError
from tests.commands import run

FILES = {
    "exceptions.csv": b"case_id,kind\nc1,skipped\nc2,extra\n" * 20,
    "model/001-v1.bpmn": b"<definitions/>",
    "nothing.csv": b"",
    "report.html": "<p>größer</p>".encode(),
}
ABOUT = {"process": "p", "made_at": "2026-01-05T08:00:00Z", "made_by": "ann", "previous_root": None}


@cache
def pack() -> bytes:
    return packed(FILES)


def packed(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    archive = Archive(written)
    for name, content in files.items():
        archive.add(name, content)
    archive.close_with(dict(ABOUT))
    return written.getvalue()


def checked(folder: Path, data: bytes, root: str | None = None) -> Verdict:
    path = folder / "pack.zip"
    path.write_bytes(data)
    return verify(path, root=root)


def findings(verdict: Verdict) -> dict[str | None, str]:
    assert not verdict.whole
    assert verdict.findings.height
    return dict(verdict.findings.rows())


def zipped(files: dict[str, bytes]) -> bytes:
    """The files as another program would zip them."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return written.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_pack_is_a_zip_file_that_anybody_can_open() -> None:
    found = unzipped(pack())
    assert list(found) == [*FILES, "manifest.json"]
    assert {name: found[name] for name in FILES} == FILES


def test_a_pack_is_whole_and_says_what_it_is(tmp_path: Path) -> None:
    verdict = checked(tmp_path, pack())
    assert verdict.whole and verdict.findings.is_empty()
    assert (verdict.process, verdict.made_by, verdict.files) == ("p", "ann", len(FILES))
    assert verdict.root is not None
    assert checked(tmp_path, pack(), verdict.root.upper() + "\n").whole


def test_the_same_files_give_the_same_bytes() -> None:
    assert packed(FILES) == packed(FILES)


@settings(max_examples=400, deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_byte_can_be_flipped_unseen(
    tmp_path_factory: pytest.TempPathFactory, place: int, flipped: int
) -> None:
    data = bytearray(pack())
    data[place % len(data)] ^= flipped
    findings(checked(tmp_path_factory.getbasetemp(), bytes(data)))


def test_no_bit_of_what_is_around_the_files_can_be_flipped_unseen(tmp_path: Path) -> None:
    end = pack().rindex(b"PK\3\4")
    for place in [*range(60), *range(end, end + 60), *range(len(pack()) - 330, len(pack()))]:
        for bit in range(8):
            data = bytearray(pack())
            data[place] ^= 1 << bit
            findings(checked(tmp_path, bytes(data)))


def test_bits_that_unpacking_does_not_look_at_count_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pack())) as opened:
        infos = opened.infolist()
    unchanged = 0
    for info in infos[:-1]:
        last = info.header_offset + 30 + len(info.filename) + info.compress_size - 1
        for bit in range(8):
            data = bytearray(pack())
            data[last] ^= 1 << bit
            named = findings(checked(tmp_path, bytes(data)))
            unchanged += None in named  # every file still unpacks to what it was
    assert unchanged


def test_a_second_end_behind_the_end_is_told(tmp_path: Path) -> None:
    line_and_end = 46 + len("manifest.json") + 22
    findings(checked(tmp_path, pack() + pack()[-line_and_end:]))


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0), st.binary(max_size=40))
def test_nothing_can_be_cut_off_put_in_or_added(
    tmp_path_factory: pytest.TempPathFactory, place: int, more: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    cut = place % len(pack())
    findings(checked(folder, pack()[:cut]))
    findings(checked(folder, pack()[cut + 1 :]))
    if more:
        findings(checked(folder, pack()[:cut] + more + pack()[cut:]))
        findings(checked(folder, pack() + more))


def test_each_file_that_was_changed_is_missing_or_was_added_is_named(tmp_path: Path) -> None:
    files = unzipped(pack())
    files["exceptions.csv"] = files["exceptions.csv"].replace(b"skipped", b"allowed", 1)
    del files["nothing.csv"]
    files["more.csv"] = b"a"
    assert findings(checked(tmp_path, zipped(files))) == {
        "exceptions.csv": "changed",
        "more.csv": "added",
        "nothing.csv": "missing",
    }


def test_a_file_changed_in_place_is_named(tmp_path: Path) -> None:
    place = pack().index(b"exceptions.csv") + len(b"exceptions.csv") + 10
    data = bytearray(pack())
    data[place] ^= 1
    assert findings(checked(tmp_path, bytes(data))) == {"exceptions.csv": "changed"}


def test_the_same_files_zipped_again_are_not_the_pack(tmp_path: Path) -> None:
    found = findings(checked(tmp_path, zipped(unzipped(pack()))))
    assert found == {None: "Bytes between the files were changed."}


@pytest.mark.parametrize("change", ["made_by", "root", "chain", "sha256", "space"])
def test_a_manifest_that_was_changed_is_told(tmp_path: Path, change: str) -> None:
    files = unzipped(pack())
    content = json.loads(files["manifest.json"])
    if change == "made_by":
        content["about"]["made_by"] = "ben"
    elif change == "root":
        content["root"] = "0" * 64
    elif change != "space":
        content["files"][0][change] = "0" * 64
    indent = 2 if change == "space" else 1
    text = json.dumps(content, ensure_ascii=False, indent=indent, sort_keys=True) + "\n"
    found = findings(checked(tmp_path, zipped({**files, "manifest.json": text.encode()})))
    assert found["manifest.json"].startswith("changed: The manifest was changed")


def test_only_a_root_kept_elsewhere_shows_a_pack_made_anew(tmp_path: Path) -> None:
    kept = checked(tmp_path, pack()).root
    forged = packed({**FILES, "exceptions.csv": b"case_id,kind\n"})
    verdict = checked(tmp_path, forged)
    assert verdict.whole and verdict.root != kept
    found = findings(checked(tmp_path, forged, kept))
    assert "not the one that was kept" in found[None]


@pytest.mark.parametrize("content", [b"{}", b"[]", b"1", b"nonsense", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    found = findings(checked(tmp_path, zipped({**FILES, "manifest.json": content})))
    assert found["manifest.json"] == "changed: The manifest cannot be read."


def test_a_zip_file_without_a_manifest_is_told(tmp_path: Path) -> None:
    assert findings(checked(tmp_path, zipped(FILES))) == {"manifest.json": "missing"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_names_that_lead_out_of_a_folder_are_refused(tmp_path: Path, name: str) -> None:
    found = findings(checked(tmp_path, zipped({**unzipped(pack()), name: b"x"})))
    assert list(found) == [None] and "leads out of a folder" in found[None]


def test_names_that_stand_twice_are_refused(tmp_path: Path) -> None:
    written = io.BytesIO(zipped(unzipped(pack())))
    with zipfile.ZipFile(written, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr("report.html", b"another")
    found = findings(checked(tmp_path, written.getvalue()))
    assert found == {None: "The zip file has 'report.html' 2 times."}


def test_a_zip_bomb_is_not_read(tmp_path: Path) -> None:
    found = findings(checked(tmp_path, zipped({"exceptions.csv": bytes(300 << 20)})))
    assert "it is not read" in found[None]


def test_a_manifest_that_promises_more_than_there_is_does_no_harm(tmp_path: Path) -> None:
    written = io.BytesIO()
    archive = Archive(written)
    archive.add("a.csv", bytes(1000))
    entry = Entry("a.csv", 0xFFFF_FFFE, "0" * 64, 0xFFFF_FFFE, "0" * 64)
    archive._entries = [entry, entry]
    archive.close_with(dict(ABOUT))
    assert not checked(tmp_path, written.getvalue()).whole


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, b"PK\5\6" + bytes(18)])
def test_what_is_no_zip_file_gets_a_sentence(tmp_path: Path, data: bytes) -> None:
    found = findings(checked(tmp_path, data))
    assert len(found) == 1
    assert all(text.endswith(".") or text == "missing" for text in found.values())


def test_no_file_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        verify(tmp_path / "pack.zip")


def test_a_manifest_reads_back_as_it_was_written() -> None:
    made = Manifest.of({"a": "größer"}, [Entry("a", 1, "b", 2, "c")])
    assert read_manifest(made.to_bytes()) == made


def test_the_exit_code_tells(tmp_path: Path) -> None:
    def checking(data: bytes, *more: str) -> Any:
        (tmp_path / "pack.zip").write_bytes(data)
        return run(tmp_path, "evidence", "--verify", str(tmp_path / "pack.zip"), *more)

    whole = checking(pack())
    assert whole.exit_code == 0 and json.loads(whole.stdout)["whole"] is True
    assert checking(pack(), "--root", json.loads(whole.stdout)["root"]).exit_code == 0
    for result in (checking(pack()[:-1]), checking(pack(), "--root", "0" * 64)):
        assert result.exit_code == 1
        assert json.loads(result.stdout)["whole"] is False
        assert result.stderr.startswith("procession: pack.zip is not the pack that was written.")
        assert len(result.stderr.splitlines()) == 1
    absent = run(tmp_path, "evidence", "--verify", str(tmp_path / "nothing.zip"))
    assert absent.exit_code == 2
