"""Asking an API page by page, with the client of dlt: retries, paging and authentication."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from ingest.rest.request import Request
from ingest.source import Secret
from miner.errors import InputError, MissingPackageError, SourceRefusedError, SourceUnavailableError

TRIES = 6
LONGEST_WAIT = 30.0
"""Most seconds between two tries, whatever the system asks for."""
MOST_REPEATED = 3
"""Pages with the same content, one after the other, that cannot be chance any more."""


def pages(
    request: Request, secret: Secret, params: Mapping[str, Any], timeout: float
) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of each page; `params` are added to those of the request.

    Raises SourceRefusedError when the API says no, answers what is no JSON, has no list where
    `records` says, or gives the same page again and again; SourceUnavailableError when it is away
    or too busy after several tries.
    """
    try:
        from dlt.common.configuration.specs import RuntimeConfiguration
        from dlt.sources.helpers.requests.retry import Client
        from dlt.sources.helpers.rest_client.client import RESTClient
    except ImportError as error:
        raise MissingPackageError("Reading an API", "dlt", "rest") from error
    session = Client(
        request_timeout=timeout,
        raise_for_status=False,
        request_max_attempts=TRIES,
        request_backoff_factor=0.5,
        request_max_retry_delay=LONGEST_WAIT,
    ).session
    guarded = Guarded(request, session)
    client = RESTClient(
        request.url,
        headers=dict(request.headers),
        auth=guarded.authentication(secret),
        session=session,
        config=RuntimeConfiguration(),
    )
    found = client.paginate(
        "",
        method=request.method,  # type: ignore[arg-type]
        params={**request.params, **params},
        json=dict(request.body) if request.body is not None else None,
        paginator=_paginator(request.paging),
        data_selector=".".join(_step(step) for step in request.records) or "$",
        hooks={"response": []},
        allow_redirects=False,
    )
    while True:
        with guarded.translated():
            page = next(found, None)
        if page is None:
            return
        yield list(page)


class Guarded:
    """The session of a client whose requests and answers are looked at."""

    def __init__(self, request: Request, session: Any) -> None:
        self._request = request
        self._host = urlsplit(request.url)[:2]
        self._session = session
        self._send = session.send
        self._last = b""
        self._repeated = 0
        self._asked: set[bytes] = set()
        self._renewable: Any = None
        session.send = self.send

    def authentication(self, secret: Secret) -> Any:
        """How a request says who asks; None if it does not."""
        from dlt.sources.helpers.rest_client import auth

        given, text = self._request.authentication, str.__str__(secret)
        kind = given.get("kind", "none")
        if kind == "none":
            return None
        if not text:
            raise InputError(
                f"Authentication of the kind {kind!r} needs a secret.",
                hint="Set PROCESSION_REST_SECRET, or PROCESSION_<NAME>_SECRET for "
                "[sources.<name>], or give --ask-secret.",
            )
        if kind == "bearer":
            return auth.BearerTokenAuth(token=text)
        if kind == "basic":
            return auth.HttpBasicAuth(username=given["user"], password=text)
        if kind == "api_key":
            return auth.APIKeyAuth(name=given["name"], api_key=text, location=given["in"])
        scope = {"scope": given["scope"]} if given["scope"] else {}
        self._renewable = auth.OAuth2ClientCredentials(
            access_token_url=given["token_url"],
            client_id=given["client_id"],
            client_secret=text,
            access_token_request_data=scope,
            session=cast(Any, _PlainSession(self)),
        )
        return self._renewable

    def send(self, prepared: Any, **more: Any) -> Any:
        """Send a request of the client; an answer that comes back holds a list of records."""
        self._look_at_request(prepared)
        with self.translated():
            response = self._send(prepared, **more)
            if response.status_code == 401 and self._renewable is not None:
                self._renewable.obtain_token()
                response = self._send(self._renewable(prepared), **more)
        self.check_status(response)
        self._look_at_answer(response)
        return response

    def token(self, url: str, **given: Any) -> Any:
        """Ask for a token."""
        prepared = self._session.prepare_request(_plain_request("POST", url, given))
        with self.translated():
            response = self._send(prepared, allow_redirects=False)
        self.check_status(response)
        answer = self._parsed(response)
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise SourceRefusedError(f"{_shown(url)} gave no access_token.")
        return response

    def check_status(self, response: Any) -> None:
        """Raise our errors for what is no answer."""
        code, where = response.status_code, _shown(response.url)
        if code < 300:
            return
        said = f"{where} answered {code} {response.reason or ''}".rstrip()
        if code == 429 or code >= 500:
            raise SourceUnavailableError(
                f"{said}, {TRIES} times in a row.", hint="Run the command again later."
            )
        if code < 400:
            raise SourceRefusedError(f"{said}: it sends us elsewhere.", hint="Correct the address.")
        hints = {
            401: "Check the secret, and that it has not expired.",
            403: "Give this user or key the right to read.",
            404: "Check the address: the system has nothing there.",
        }
        raise SourceRefusedError(f"{said}.", hint=hints.get(code, "Check the request."))

    def translated(self) -> _Translated:
        """A block in which errors of the client are raised as ours."""
        return _Translated(_shown(self._request.url))

    def _look_at_request(self, prepared: Any) -> None:
        if urlsplit(prepared.url)[:2] != self._host:
            raise SourceRefusedError(
                f"{_shown(self._request.url)} sends us on to {_shown(prepared.url)}.",
                hint="Credentials are not given to another host.",
            )
        body = prepared.body if isinstance(prepared.body, bytes) else str(prepared.body).encode()
        asked = hashlib.sha256(f"{prepared.url}\n".encode() + body).digest()
        if asked in self._asked:
            raise SourceRefusedError(
                f"{_shown(prepared.url)} sends us to a page that we had.",
                hint="Check how the API pages: the path of the cursor or of the next address.",
            )
        self._asked.add(asked)

    def _look_at_answer(self, response: Any) -> None:
        content = hashlib.sha256(response.content).digest()
        self._repeated = self._repeated + 1 if content == self._last else 1
        self._last = content
        records: Any = self._parsed(response)
        for step in self._request.records:
            inside = records.get(step) if isinstance(records, dict) else None
            if inside is None:
                keys = (
                    f"it has {', '.join(list(records)[:10])}" if isinstance(records, dict) else ""
                )
                path = ".".join(self._request.records)
                raise SourceRefusedError(
                    f"{_shown(response.url)} answered without {path!r}.",
                    hint=f"Check records in the mapping file; {keys or 'it is a list'}.",
                )
            records = inside
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise SourceRefusedError(
                f"{_shown(response.url)} answered with no list of objects.",
                hint="Say in records where the list is, as in data.items.",
            )
        if records and self._repeated >= MOST_REPEATED:
            raise SourceRefusedError(
                f"{_shown(response.url)} answers the same page again and again.",
                hint="Check how the API pages: it may not know these parameters.",
            )

    def _parsed(self, response: Any) -> Any:
        try:
            return json.loads(response.content)
        except ValueError as error:
            start = response.content[:60]
            raise SourceRefusedError(
                f"{_shown(response.url)} answered something that is no JSON: {start!r}.",
                hint="Check that the address is that of the interface, not of a page for people.",
            ) from error


class _PlainSession:
    """What the client of tokens needs of a session."""

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded

    def post(self, url: str, **given: Any) -> Any:
        return self._guarded.token(url, **given)


class _Translated:
    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import requests

        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            raise SourceRefusedError(f"{self._where} is no address.") from None
        if isinstance(error, requests.RequestException):
            late = isinstance(error, requests.Timeout)
            reason = "does not answer in time" if late else "cannot be reached"
            raise SourceUnavailableError(
                f"{self._where} {reason}, {TRIES} times in a row.",
                hint="Check that it is up and reachable from here, then run the command again.",
            ) from None
        if isinstance(error, ValueError):  # of the paginators
            raise SourceRefusedError(
                f"{self._where}: {str(error).split('Expected')[0].strip()[:200]}",
                hint="Check paging in the mapping file.",
            ) from None


def _paginator(paging: Mapping[str, Any]) -> Any:
    from dlt.sources.helpers.rest_client import paginators

    kind = paging.get("kind", "none")
    if kind == "link":
        return paginators.HeaderLinkPaginator(links_next_key=paging["relation"])
    if kind == "next":
        return paginators.JSONLinkPaginator(next_url_path=paging["path"])
    if kind == "cursor":
        return paginators.JSONResponseCursorPaginator(
            cursor_path=paging["path"], cursor_param=paging["param"]
        )
    if kind == "offset":
        return paginators.OffsetPaginator(
            limit=int(paging["limit"]),
            offset_param=paging["param"],
            limit_param=paging["limit_param"],
            total_path=paging["total"],
        )
    if kind == "page":
        return paginators.PageNumberPaginator(
            base_page=int(paging["first"]), page_param=paging["param"], total_path=paging["total"]
        )
    return paginators.SinglePagePaginator()


def _plain_request(method: str, url: str, given: Mapping[str, Any]) -> Any:
    import requests

    return requests.Request(method, url, headers=given.get("headers"), data=given.get("data"))


def _step(step: str) -> str:
    return step if step.isidentifier() else f"['{step}']"


def _shown(url: str) -> str:
    """An address without what may be secret: user, password and parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.split('@')[-1]}{parts.path}"
