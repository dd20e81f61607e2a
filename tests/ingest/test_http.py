"""Talking to systems over HTTP: what is tried again, what is not, and what is said."""

from __future__ import annotations

import time

import pytest

from ingest import http
from ingest.source import Secret
from miner.errors import SourceRefusedError, SourceUnavailableError
from tests.ingest.local_server import Answer, Request, answering
from tests.servers.install import free_port

TOKEN = Secret("s3cret-token")


def test_what_fails_for_a_moment_is_tried_again() -> None:
    answers = iter([Answer({}, 500), Answer({}, 503), Answer([1, 2])])
    with answering(lambda _: next(answers)) as server, http.client(server.address) as api:
        assert api.get("things") == [1, 2]
    assert len(server.requests) == 3


def test_throttling_is_waited_for_as_long_as_the_system_asks() -> None:
    answers = iter([Answer({}, 429, {"Retry-After": "1"}), Answer({"ok": True})])
    with answering(lambda _: next(answers)) as server, http.client(server.address) as api:
        started = time.monotonic()
        assert api.get("things") == {"ok": True}
    assert time.monotonic() - started >= 1.0


def test_a_system_that_stays_busy_is_unavailable() -> None:
    busy = Answer({}, 503, {"Retry-After": "0"})
    with (
        answering(lambda _: busy) as server,
        http.client(server.address, token=TOKEN, tries=3) as api,
        pytest.raises(SourceUnavailableError, match=r"503 .*3 times") as caught,
    ):
        api.get("things")
    assert len(server.requests) == 3
    assert "s3cret" not in str(caught.value)


def test_a_system_that_is_down_is_unavailable() -> None:
    with (
        http.client(f"http://127.0.0.1:{free_port()}", tries=2) as api,
        pytest.raises(SourceUnavailableError, match="cannot be reached"),
    ):
        api.get("things")


def test_a_slow_system_is_unavailable() -> None:
    def slowly(_: Request) -> Answer:
        time.sleep(0.5)
        return Answer({})

    with (
        answering(slowly) as server,
        http.client(server.address, timeout=0.1, tries=1) as api,
        pytest.raises(SourceUnavailableError, match="in time"),
    ):
        api.get("things")


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "token"), (403, "right"), (404, "address"), (422, "field x")]
)
def test_a_refusal_is_not_tried_again(status: int, hint: str) -> None:
    with (
        answering(lambda _: Answer(b"field x is missing", status)) as server,
        http.client(server.address, token=TOKEN) as api,
        pytest.raises(SourceRefusedError) as caught,
    ):
        api.get("things")
    assert len(server.requests) == 1
    assert hint in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_an_expired_token_is_renewed_once() -> None:
    def answer(request: Request) -> Answer:
        fresh = request.headers["Authorization"] == "Bearer fresh"
        return Answer({"ok": True}) if fresh else Answer({}, 401)

    with (
        answering(answer) as server,
        http.client(server.address, token=TOKEN, renew=lambda: "fresh") as api,
    ):
        assert api.get("things") == {"ok": True}
        assert api.get("things") == {"ok": True}
    assert len(server.requests) == 3


def test_an_answer_that_is_no_json_is_a_refusal() -> None:
    with (
        answering(lambda _: Answer(b"<html>Sign in</html>")) as server,
        http.client(server.address) as api,
        pytest.raises(SourceRefusedError, match="no JSON"),
    ):
        api.get("things")


def test_parameters_without_a_value_are_left_out() -> None:
    with answering(lambda _: Answer([])) as server, http.client(server.address) as api:
        api.get("things", since=None, limit=5)
    assert server.requests[0].params == {"limit": "5"}


@pytest.mark.parametrize("address", ["", "localhost", "ftp://host", "http://", "http://host:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SourceRefusedError, match="no address"), http.client(address):
        pass


def test_a_password_in_the_address_is_used_and_never_shown() -> None:
    with (
        answering(lambda _: Answer({}, 403)) as server,
        http.client(server.address.replace("//", "//ann:s3cret@")) as api,
        pytest.raises(SourceRefusedError) as caught,
    ):
        api.get("things")
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert "s3cret" not in str(caught.value)
