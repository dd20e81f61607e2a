"""Talking to systems over HTTP: retries, time-outs and errors, the same for every source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from miner.errors import SourceError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

    from ingest.source import Secret

TRIES = 6
"""How often a request is made before a system counts as away."""
LONGEST_WAIT = 30.0
"""Most seconds between two tries, whatever the system asks for."""
LARGEST_ANSWER = 512 << 20
"""Bytes of an answer beyond which a system is asked for smaller pages instead."""
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class Client:
    """Requests to one system; use it through `client`."""

    def __init__(
        self, session: httpx.Client, name: str, renew: Callable[[], str] | None, tries: int
    ) -> None:
        self._session = session
        self._name = name
        self._renew = renew
        self._tries = tries

    def get(self, path: str, **params: Any) -> Any:
        """The JSON that the system answers to GET; parameters that are null are left out."""
        return self._parsed(self.get_bytes(path, **params), path)

    def get_bytes(self, path: str, **params: Any) -> bytes:
        """The bytes that the system answers to GET."""
        return self._answer("GET", path, params, None)

    def post(self, path: str, body: Any, **params: Any) -> Any:
        """The JSON that the system answers to POST of the JSON `body`."""
        return self._parsed(self.post_bytes(path, body, **params), path)

    def post_bytes(self, path: str, body: Any, **params: Any) -> bytes:
        """The bytes that the system answers to POST of the JSON `body`."""
        return self._answer("POST", path, params, body)

    def _parsed(self, answer: bytes, path: str) -> Any:
        try:
            return json.loads(answer)
        except ValueError as error:
            raise SourceRefusedError(
                f"{self._name} answered {path} with something that is no JSON: {answer[:60]!r}.",
                hint="Check that the address is that of the interface, not of a page for people.",
            ) from error

    def _answer(self, method: str, path: str, params: dict[str, Any], body: Any) -> bytes:
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(self._tries),
            wait=_wait,
            reraise=True,
        )
        try:
            answer: bytes = retrying(self._once, method, path, params, body)
            return answer
        except _AgainError as error:
            raise SourceUnavailableError(
                f"{self._name} {error.reason} ({path}), {self._tries} times in a row.",
                hint="Check that it is up and reachable from here, then run the command again; "
                "what was read so far is kept.",
            ) from None

    def _once(self, method: str, path: str, params: dict[str, Any], body: Any) -> bytes:
        response = self._sent(method, path, params, body)
        if response.status_code == 401 and self._renew:
            self._session.headers["Authorization"] = f"Bearer {self._renew()}"
            response = self._sent(method, path, params, body)
        if response.status_code in _BUSY:
            after = _seconds(response.headers.get("Retry-After"))
            raise _AgainError(f"answered {response.status_code} {response.reason_phrase}", after)
        if response.status_code >= 400:
            raise self._refusal(response, path)
        return response.content

    def _sent(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response:
        import httpx

        given = {key: value for key, value in params.items() if value is not None}
        try:
            request = self._session.build_request(
                method, path, params=given or None, json=body if body is not None else None
            )
            response = self._session.send(request, stream=True)
            try:
                self._read(response, path)
            finally:
                response.close()
            return response
        except httpx.TimeoutException:
            raise _AgainError("did not answer in time") from None
        except httpx.InvalidURL as error:
            raise SourceRefusedError(f"{self._name} is no address: {error}.") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _AgainError(f"cannot be reached: {_reason(error)}") from None

    def _read(self, response: httpx.Response, path: str) -> None:
        """The whole answer, unless it is larger than any page should be."""
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > LARGEST_ANSWER:
                raise SourceRefusedError(
                    f"{self._name} answered {path} with more than {LARGEST_ANSWER >> 20} MB.",
                    hint="Ask for smaller pages.",
                )
            parts.append(part)
        response._content = b"".join(parts)

    def _refusal(self, response: httpx.Response, path: str) -> SourceError:
        code = response.status_code
        said = f"{self._name} answered {path} with {code} {response.reason_phrase}"
        if code == 401:
            hint = "Check the user, password or token, and that it has not expired."
        elif code == 403:
            hint = "Give this user the right to read histories; the page of the source says which."
        elif code == 404:
            hint = "Check the address: the system has nothing there."
        else:
            hint = f"It said: {response.text[:200]!r}." if response.text else ""
        return SourceRefusedError(f"{said}.", hint=hint)


class _AgainError(Exception):
    """A failure that may go away by itself."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


@contextmanager
def client(
    address: str,
    *,
    token: Secret | None = None,
    basic: tuple[str, Secret] | None = None,
    headers: dict[str, str] | None = None,
    renew: Callable[[], str] | None = None,
    timeout: float = 30.0,
    tries: int = TRIES,
) -> Iterator[Client]:
    """Requests to the system at `address`; paths are relative to it.

    `renew` gives a new bearer token when the system says that the old one is not valid (any more).
    Whatever is worth trying again is tried again, `tries` times with growing pauses or those that
    the system asks for. Raises SourceRefusedError when the system says no or answers what cannot be
    understood, SourceUnavailableError when it is away or too busy; credentials are in no message.
    """
    import httpx

    given = dict(headers or {})
    if token:
        given["Authorization"] = f"Bearer {str.__str__(token)}"
    auth = httpx.BasicAuth(basic[0], str.__str__(basic[1])) if basic else None
    try:
        url = httpx.URL(address.rstrip("/") + "/")
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL("an address starts with http:// or https://")
    except httpx.InvalidURL as error:
        raise SourceRefusedError(
            f"{address!r} is no address: {error}.", hint="Give one like http://host:8080."
        ) from error
    name = str(url.copy_with(username=None, password=None)).rstrip("/")
    if url.username or url.password:
        auth = httpx.BasicAuth(url.username, url.password)
        url = url.copy_with(username=None, password=None)
    with httpx.Client(
        base_url=url, headers=given, auth=auth, timeout=timeout, follow_redirects=False
    ) as session:
        yield Client(session, name, renew, tries)


def _wait(state: RetryCallState) -> float:
    import random

    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, _AgainError) else None
    if asked is not None:
        return min(asked, LONGEST_WAIT)
    pause: float = min(0.2 * 2.0**state.attempt_number, LONGEST_WAIT)
    return pause * random.uniform(0.8, 1.2)


def _seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` header asks for: seconds, or an instant."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    from datetime import UTC, datetime

    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
