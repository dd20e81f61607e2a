"""A server on the loopback address that answers as a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered: a JSON value, or bytes as they are."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes on the wire."""
        return self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()


@dataclass
class LocalServer:
    """Its address, and what it was asked so far."""

    address: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[LocalServer]:
    """A server that calls `answer` for each request, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            params = {key: values[-1] for key, values in parse_qs(url.query).items()}
            request = Request(
                self.command, url.path, params, dict(self.headers), self.rfile.read(length)
            )
            server.requests.append(request)
            given = answer(request)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.content)))
            self.end_headers()
            self.wfile.write(given.content)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = LocalServer(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
