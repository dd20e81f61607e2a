"""OTLP over HTTP: `POST /v1/traces` with protobuf or JSON, packed or not."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from ingest.otlp.intake import JSON, PROTOBUF, RETRY_SECONDS, Intake, answer, refusal
from ingest.otlp.spool import SpoolFullError
from miner.errors import InputError, MissingPackageError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"application/x-protobuf": PROTOBUF, "application/json": JSON}
CONNECTIONS = 256
"""Connections at once; further ones are told to come again."""
_CODES = {400: 3, 404: 5, 405: 12, 413: 8, 415: 3, 429: 8, 503: 14}
"""Codes of gRPC that go with those of HTTP."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpReceiver:
    """An ASGI application that takes in requests of exporters."""

    def __init__(self, intake: Intake, most_bytes: int) -> None:
        self._intake = intake
        self._most = most_bytes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; the answer is given when the spans are on the disk."""
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        kind = KINDS.get(headers.get("content-type", "").split(";")[0].strip().lower(), "")
        try:
            body = await self._body(scope, headers, kind, receive)
            taken = self._taken(kind, body)
            await asyncio.wrap_future(taken.kept)
            status, content = 200, answer(taken, kind)
        except _RefusedError as error:
            status = error.status
            content = refusal(_CODES[status], str(error), kind)
        except StoreError as error:
            status, content = 503, refusal(14, error.message, kind)
        media = "application/json" if kind == JSON else "application/x-protobuf"
        sent = [(b"content-type", media.encode()), (b"content-length", str(len(content)).encode())]
        if status in (429, 503):
            sent.append((b"retry-after", str(RETRY_SECONDS).encode()))
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": content})

    def _taken(self, kind: str, body: bytes) -> Any:
        try:
            return self._intake.take(kind, body)
        except SpoolFullError:
            raise _RefusedError(429, "too much is waiting; send it again later") from None
        except ValueError as error:
            raise _RefusedError(400, f"not a request of OTLP: {error}"[:300]) from None

    async def _body(
        self, scope: dict[str, Any], headers: dict[str, str], kind: str, receive: Receive
    ) -> bytes:
        if scope["path"] != "/v1/traces":
            raise _RefusedError(404, "only traces are taken in, at /v1/traces")
        if scope["method"] != "POST":
            raise _RefusedError(405, "spans are sent with POST")
        if not kind:
            raise _RefusedError(415, f"the content type is one of: {', '.join(KINDS)}")
        packed = headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("identity", "gzip", "deflate"):
            raise _RefusedError(415, "the content encoding is gzip, deflate or none")
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400, "the request was cut off")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                raise _RefusedError(413, f"a request has at most {self._most} bytes")
            more = message.get("more_body", False)
        body = b"".join(parts)
        return body if packed == "identity" else self._unpacked(body, packed)

    def _unpacked(self, body: bytes, packed: str) -> bytes:
        """The body, never more of it than may be: what is small may unpack to anything."""
        stream = zlib.decompressobj(wbits=31 if packed == "gzip" else 15)
        try:
            plain = stream.decompress(body, self._most + 1)
        except zlib.error as error:
            raise _RefusedError(400, f"the body cannot be unpacked: {error}") from None
        if len(plain) > self._most:
            raise _RefusedError(413, f"a request has at most {self._most} bytes")
        if not stream.eof:
            raise _RefusedError(400, "the body is cut off")
        return plain


@contextmanager
def http_server(intake: Intake, host: str, port: int, most_bytes: int) -> Iterator[None]:
    """A server that runs while the block does; ends when its last answers are given.

    Raises InputError when it cannot listen there.
    """
    uvicorn = _library()
    config = uvicorn.Config(
        HttpReceiver(intake, most_bytes),
        host=host,
        port=port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=CONNECTIONS,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=_run, args=(server,), name="http", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise InputError(
                f"Nothing can listen on {host}:{port}; something else may.",
                hint="Name another port with --http-port, or 0 for none.",
            )
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(15)


def _library() -> Any:
    try:
        import uvicorn
    except ImportError as error:
        raise MissingPackageError(
            "Receiving OTLP over HTTP",
            "uvicorn",
            "otlp",
            instead="; or take in gRPC only: --http-port 0",
        ) from error
    return uvicorn


def _run(server: Any) -> None:
    try:
        server.run()
    except SystemExit:  # so it ends when the port is taken
        return
