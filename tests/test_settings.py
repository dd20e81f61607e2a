from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from miner.errors import InputError, UnknownNameError
from miner.settings import FILE, Settings, settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of its own, with nothing remembered from before or kept for later."""
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def write(text: str | bytes) -> None:
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_anything_said_the_defaults_hold() -> None:
    assert settings() == Settings()


def test_the_file_stands_above_the_defaults() -> None:
    write('store = "elsewhere"\nwait_seconds = 5\n')
    assert settings() == Settings(store="elsewhere", wait_seconds=5)


def test_the_environment_stands_above_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('store = "elsewhere"\nthreads = 1\n')
    monkeypatch.setenv("PROCESSION_STORE", "here")
    monkeypatch.setenv("PROCESSION_WAIT_SECONDS", "0.5")
    assert settings() == Settings(store="here", threads=1, wait_seconds=0.5)


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSION_STORE", "")
    assert settings().store == Settings().store


def test_an_unknown_key_is_refused_with_a_near_one() -> None:
    write('stroe = "x"\n')
    with pytest.raises(UnknownNameError, match="Did you mean 'store'"):
        settings()


@pytest.mark.parametrize(
    "text",
    ["store = \n", b"store = '\xff'\n", "[store]\n[store]\n"],
    ids=["half", "bytes", "twice"],
)
def test_a_file_that_cannot_be_read_is_said_so(text: str | bytes) -> None:
    write(text)
    with pytest.raises(InputError, match=r"procession\.toml cannot be read"):
        settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THREADS", "many"),
        ("THREADS", "-1"),
        ("WAIT_SECONDS", "soon"),
        ("WAIT_SECONDS", "-3"),
        ("WAIT_SECONDS", "nan"),
        ("QUERY_SECONDS", "0"),
        ("MEMORY_LIMIT", "plenty"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PROCESSION_{name}", value)
    with pytest.raises(InputError, match=value):
        settings()


def test_the_value_of_a_list_is_refused() -> None:
    write("threads = [1, 2]\n")
    with pytest.raises(InputError, match="threads"):
        settings()
