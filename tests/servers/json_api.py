"""A local JSON API that pages in every way, and does wrong what it is told to."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.servers.order_messages import told

SECRET = "s3cr&t"


@dataclass
class Api:
    """A server of records, and what it is told to do wrong."""

    port: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)
    size: int = 40
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers that come before the right ones."""
    authentication: str = ""
    tokens: int = 0
    uses: int = 0
    """How often the last token may still be used."""
    asked: list[dict[str, str]] = field(default_factory=list)
    body: bytes | None = None
    stuck: bool = False
    elsewhere: str = ""
    pause: float = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, query: dict[str, str]) -> tuple[dict[str, Any], str | None]:
        """The answer to a query, and where the next one is."""
        found = [each for each in self.records if each["at"] >= query.get("since", "")]
        number = next((int(query[key]) for key in ("page",) if key in query), None)
        start = int(query.get("offset", query.get("after", 0)))
        if number is not None:
            start = (number - int(query.get("first", 1))) * self.size
        end = start + self.size
        if self.stuck:
            start, end = 0, self.size
        more = end < len(found)
        following = f"{self.elsewhere or ''}/records?after={end}" if more else None
        if following and "since" in query:
            following += f"&since={query['since'].replace('+', '%2B')}"
        answer = {
            "data": {"items": found[start:end]},
            "cursor": str(end) if more else None,
            "count": len(found),
            "pages": -(-len(found) // self.size),
            "links": {"next": following},
        }
        return answer, following


class Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_: Any) -> None:
        return None

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        api: Api = self.server.api
        if self.path == "/token":
            form = dict(parse_qsl(sent.decode()))
            if (form["client_id"], form["client_secret"]) != ("us", SECRET):
                return self._send(401, {})
            api.tokens += 1
            api.uses = 2
            return self._send(200, {"access_token": f"t{api.tokens}", "expires_in": 3600})
        return self._answer(json.loads(sent or b"{}"))

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def _answer(self, query: dict[str, str]) -> None:
        api: Api = self.server.api
        api.asked.append(query)
        time.sleep(api.pause)
        if api.failures:
            code, headers = api.failures.pop(0)
            return self._send(code, {}, headers)
        if not self._known(query):
            return self._send(401, {})
        if api.body is not None:
            return self._send(200, api.body)
        page, following = api.page(query)
        link = {"Link": f'<{api.url}{following}>; rel="next"'} if following else {}
        return self._send(200, page, link)

    def _known(self, query: dict[str, str]) -> bool:
        api: Api = self.server.api
        given = self.headers.get("Authorization", "")
        if api.authentication == "bearer":
            return given == f"Bearer {SECRET}"
        if api.authentication == "basic":
            return b64decode(given.removeprefix("Basic ")).decode() == f"ann:{SECRET}"
        if api.authentication == "header":
            return self.headers.get("X-Key") == SECRET
        if api.authentication == "query":
            return query.get("key") == SECRET
        if api.authentication == "oauth2":
            api.uses -= 1
            return given == f"Bearer t{api.tokens}" and api.uses >= 0
        return True

    def _send(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api() -> Iterator[Api]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Api(server.server_port)
    served.records = [{"id": i, **each} for i, each in enumerate(told())]
    server.api = served  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
