from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psutil  # type: ignore[import-untyped]
import pytest

from ingest import unpack
from ingest.sources.xes import XesFile
from ingest.xes import xml as xes_xml
from miner.errors import LogFormatError

BODY = (
    '<log><trace><string key="concept:name" value="c"/><event>'
    '<string key="concept:name" value="{}"/>'
    '<date key="time:timestamp" value="2020-01-01T00:00:00Z"/></event></trace></log>'
)


def refused(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(LogFormatError) as error:
        list(XesFile(str(path)).read())
    return str(error.value)


@contextmanager
def listener() -> Iterator[tuple[str, list[object]]]:
    """A web server's address and who connected to it."""
    connected: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def accept() -> None:
            with server:
                while True:
                    try:
                        client, address = server.accept()
                    except OSError:
                        return
                    connected.append(address)
                    client.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", connected
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def documents(address: str) -> dict[str, str]:
    body = BODY.format("a")
    return {
        "entity in a value": f'<!DOCTYPE log [<!ENTITY x SYSTEM "{address}">]>{BODY.format("&x;")}',
        "entity in text": f'<!DOCTYPE log [<!ENTITY x SYSTEM "{address}">]><log>&x;</log>',
        "document type": f'<!DOCTYPE log SYSTEM "{address}">{body}',
        "public document type": f'<!DOCTYPE log PUBLIC "-//X" "{address}">{body}',
        "parameter entity": f'<!DOCTYPE log [<!ENTITY % p SYSTEM "{address}"> %p;]>{body}',
    }


@pytest.mark.parametrize("kind", list(documents("")))
def test_nothing_is_fetched_and_no_file_is_read(tmp_path: Path, kind: str) -> None:
    canary = tmp_path / "canary"
    canary.write_text("SECRET")
    with listener() as (address, connected):
        for place in (address, canary.as_uri(), str(canary)):
            message = refused(tmp_path / "log.xes", documents(place)[kind])
            assert "declares a document type" in message
            assert "SECRET" not in message
    assert connected == []


def test_the_listener_would_have_seen_a_connection() -> None:
    with listener() as (address, connected):
        port = int(address.rstrip("/").rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
        for _ in range(100):
            if connected:
                break
            threading.Event().wait(0.01)
    assert len(connected) == 1


def test_an_entity_bomb_is_refused_before_it_opens(tmp_path: Path) -> None:
    entities = '<!ENTITY e0 "lol">' + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)
    )
    for use in (BODY.format("&e11;"), "<log>&e11;</log>"):
        message = refused(tmp_path / "log.xes", f"<!DOCTYPE log [{entities}]>{use}")
        assert "declares a document type" in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_a_document_type_does_not_hide_behind_an_encoding(tmp_path: Path, encoding: str) -> None:
    content = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><!-- <log> -->'
    content += f'<!DOCTYPE log [<!ENTITY x "y">]>{BODY.format("&x;")}'
    assert "declares a document type" in refused(tmp_path / "log.xes", content.encode(encoding))


def test_a_document_type_in_a_comment_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text(f"<!-- <!DOCTYPE log> -->{BODY.format('<!DOCTYPE log>'.replace('<', '&lt;'))}")
    assert pl.concat(XesFile(str(path)).read())["activity"].to_list() == ["<!DOCTYPE log>"]


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    for depth in (150, 5000):
        nested = '<string key="k" value="v">' * depth + "</string>" * depth
        for place in ("<log>{}</log>", "<log><trace><event>{}</event></trace></log>"):
            assert "deep" in refused(tmp_path / "log.xes", place.format(nested))


def test_an_enormous_attribute_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path / "log.xes", BODY.format("x" * 11_000_000))
    assert "not well-formed" in message


def packed(path: Path, start: bytes, part: bytes, times: int, end: bytes) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(start)
        for _ in range(times):
            file.write(part)
        file.write(end)


def test_hundreds_of_megabytes_of_blanks_are_refused_early(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xes.gz"
    packed(path, b"<log>", b" " * 1_000_000, 600, b"</log>")
    assert path.stat().st_size < 1_000_000
    before = psutil.Process().memory_info().rss
    assert "without the end of an event" in refused(path, path.read_bytes())
    assert psutil.Process().memory_info().rss - before < 200_000_000


def test_a_file_packed_beyond_reason_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "FREELY", 1_000_000)
    path = tmp_path / "bomb.xes.gz"
    packed(path, b"<log>", b" " * 1_000_000, 20, b"</log>")
    assert "unpacks to over" in refused(path, path.read_bytes())


def test_an_event_beyond_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xes_xml, "MAX_GAP", 1_000_000)
    attributes = '<string key="k" value="v"/>' * 100_000
    content = f"<log><trace><event>{attributes}</event></trace></log>"
    assert "without the end of an event" in refused(tmp_path / "log.xes", content)


def test_a_case_of_many_events_takes_the_memory_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "long.xes.gz"
    event = (
        b'<event><string key="concept:name" value="a"/>'
        b'<date key="time:timestamp" value="2020-01-01T00:00:00Z"/></event>'
    )
    start = b'<log><trace><string key="concept:name" value="c"/>'
    packed(path, start, event * 1000, 300, b"</trace></log>")
    batches = [batch.select("case_id", "timestamp") for batch in XesFile(str(path)).read()]
    frame = pl.concat(batches)
    assert frame.height == 300_000
    assert frame.n_unique() == 1
