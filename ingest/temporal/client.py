"""A Temporal server, asked over gRPC: executions, histories, descriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from ingest.source import Secret
from miner.errors import (
    InputError,
    MissingPackageError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
)

TIMEOUT = timedelta(seconds=30)
AT_ONCE = 8
"""Requests under way at the same time: servers limit how many a second they answer."""
PAGE = 1000

T = TypeVar("T")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Access:
    """How to reach a server and show who is asking."""

    address: str
    namespace: str
    api_key: Secret | None
    tls: bool
    ca: str
    certificate: str
    key: str


class Server:
    """A connection; use it as a context manager. Errors are ours."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._loop = asyncio.new_event_loop()
        # A thread of its own: whoever calls may have a loop running, as notebooks do.
        self._thread = ThreadPoolExecutor(1)
        self._service: Any = None

    def __enter__(self) -> Server:
        try:
            with _translated(self.access):
                client = self._finished(_connected(self.access))
                self._service = client.workflow_service
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.shutdown()
        self._loop.close()

    def _finished(self, awaited: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._loop.run_until_complete, awaited).result()

    def executions(self, query: str, most: int | None = None) -> Iterator[Any]:
        """The `WorkflowExecutionInfo`s that meet a query, in the server's order."""
        from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

        token, given = b"", 0
        while True:
            request = ListWorkflowExecutionsRequest(
                namespace=self.access.namespace, query=query, page_size=PAGE, next_page_token=token
            )
            answer = self._ask(self._service.list_workflow_executions, request)
            yield from answer.executions
            given += len(answer.executions)
            token = answer.next_page_token
            if not token or (most is not None and given >= most):
                return

    def retention(self) -> timedelta | None:
        """How long closed workflows are kept; null when that is not told."""
        from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

        request = DescribeNamespaceRequest(namespace=self.access.namespace)
        answer = self._ask(self._service.describe_namespace, request)
        kept = answer.config.workflow_execution_retention_ttl
        return timedelta(seconds=kept.seconds) if kept.seconds else None

    def histories(self, runs: Sequence[tuple[str, str]]) -> list[list[Any] | None]:
        """The answers that make up the history of each run; null for one that is gone."""
        return self._each(runs, self._history)

    def descriptions(self, runs: Sequence[tuple[str, str]]) -> list[Any | None]:
        """The description of each run; null for one that is gone."""
        return self._each(runs, self._description)

    async def _history(self, workflow_id: str, run_id: str) -> list[Any]:
        from temporalio.api.common.v1 import WorkflowExecution
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

        pages: list[Any] = []
        while not pages or pages[-1].next_page_token:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self.access.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                maximum_page_size=PAGE,
                next_page_token=pages[-1].next_page_token if pages else b"",
            )
            ask = self._service.get_workflow_execution_history
            pages.append(await ask(request, retry=True, timeout=TIMEOUT))
        return pages

    async def _description(self, workflow_id: str, run_id: str) -> Any:
        from temporalio.api.common.v1 import WorkflowExecution
        from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

        request = DescribeWorkflowExecutionRequest(
            namespace=self.access.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        )
        ask = self._service.describe_workflow_execution
        return await ask(request, retry=True, timeout=TIMEOUT)

    def _ask(self, call: Callable[..., Awaitable[Answer]], request: Any) -> Answer:
        async def asked() -> Answer:
            return await call(request, retry=True, timeout=TIMEOUT)

        with _translated(self.access):
            return self._finished(asked())

    def _each(
        self, runs: Sequence[tuple[str, str]], call: Callable[[str, str], Awaitable[T]]
    ) -> list[T | None]:
        async def one(limit: asyncio.Semaphore, workflow_id: str, run_id: str) -> T | None:
            from temporalio.service import RPCError, RPCStatusCode

            async with limit:
                try:
                    return await call(workflow_id, run_id)
                except RPCError as error:
                    if error.status == RPCStatusCode.NOT_FOUND:
                        return None
                    raise

        async def all_of_them() -> list[T | None]:
            limit = asyncio.Semaphore(AT_ONCE)
            return await asyncio.gather(*(one(limit, *run) for run in runs))

        with _translated(self.access):
            return self._finished(all_of_them())


async def _connected(access: Access) -> Any:
    from temporalio.client import Client
    from temporalio.service import TLSConfig

    secure: bool | TLSConfig | None = access.tls or None
    if access.ca or access.certificate:
        secure = TLSConfig(
            server_root_ca_cert=_bytes(access.ca),
            client_cert=_bytes(access.certificate),
            client_private_key=_bytes(access.key),
        )
    return await Client.connect(
        access.address,
        namespace=access.namespace,
        api_key=access.api_key or None,
        tls=secure,
        connect_timeout=timedelta(seconds=10),
    )


def _bytes(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def _translated(access: Access) -> Iterator[None]:
    try:
        from temporalio.service import RPCError
    except ImportError as error:
        raise MissingPackageError("Reading from Temporal", "temporalio", "temporal") from error
    try:
        yield
    except RPCError as error:
        raise _error(access, error.status.name, error.message) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise SourceUnavailableError(
            f"Temporal at {access.address} does not answer: {_short(str(error))}",
            hint="Check the address and that the server is running.",
        ) from error


_REFUSALS: Mapping[str, str] = {
    "UNAUTHENTICATED": "Check the API key or the certificate; it may have expired.",
    "PERMISSION_DENIED": "Reading needs the role reader in this namespace.",
    "NOT_FOUND": "Check the name of the namespace.",
    "INVALID_ARGUMENT": "Check the query; its language is that of temporal workflow list.",
    "UNIMPLEMENTED": "The server is too old: it has to offer ListWorkflowExecutions.",
    "FAILED_PRECONDITION": "Check the options of the source.",
}


def _error(access: Access, status: str, message: str) -> SourceError:
    where = f"Temporal at {access.address}, namespace {access.namespace}"
    if status in _REFUSALS:
        return SourceRefusedError(f"{where}, refused: {_short(message)}", hint=_REFUSALS[status])
    return SourceUnavailableError(
        f"{where}, does not answer ({status}): {_short(message)}", hint="Try again later."
    )


def _short(message: str) -> str:
    return " ".join(message.split())[:300] or "no reason given"
