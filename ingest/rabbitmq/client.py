"""The connection to RabbitMQ, with errors turned into ours."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ingest.source import Secret
from miner.errors import (
    InputError,
    MissingPackageError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingConnection

HEARTBEAT = 600
"""Seconds without a word, as while events are stored, after which the broker may hang up."""
_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True)
class Address:
    """Where a broker is, without any password."""

    scheme: str
    host: str
    port: int
    virtual_host: str
    user: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def address_of(text: str, user: str) -> Address:
    """The parts of an address like `amqp://host:5672/virtual-host`.

    InputError for what is none, and for one with a password: it would be shown and kept.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.password is not None:
        raise InputError(
            "The address of RabbitMQ holds a password, which would be shown and kept.",
            hint="Leave it out of the address and set PROCESSION_RABBITMQ_PASSWORD, or "
            "PROCESSION_<NAME>_PASSWORD for [sources.<name>], or give --ask-password.",
        )
    if parts.scheme not in _PORTS or not parts.hostname or parts.query:
        raise InputError(
            f"{text!r} is no address of RabbitMQ.",
            hint="Give one like amqp://host:5672/virtual-host, or amqps:// for TLS.",
        )
    return Address(
        parts.scheme,
        parts.hostname,
        port or _PORTS[parts.scheme],
        unquote(parts.path[1:]) or "/",
        user or unquote(parts.username or "") or "guest",
    )


def connect(
    address: Address, password: Secret, authority: str, timeout: float
) -> BlockingConnection:
    """A connection, for the caller to close; SourceError when there can be none."""
    try:
        import pika
    except ImportError as error:
        raise MissingPackageError("Reading RabbitMQ", "pika", "rabbitmq") from error
    # What it logs is in the errors as well.
    logging.getLogger("pika").addHandler(logging.NullHandler())
    logging.getLogger("pika").propagate = False
    parameters = pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.virtual_host,
        credentials=pika.PlainCredentials(address.user, str.__str__(password)),
        ssl_options=_tls(address, authority),
        heartbeat=HEARTBEAT,
        socket_timeout=timeout,
        stack_timeout=timeout,
        blocked_connection_timeout=HEARTBEAT,
        connection_attempts=3,
        retry_delay=min(1.0, timeout / 3),
        client_properties={"connection_name": "procession"},
    )
    with failures(address):
        return pika.BlockingConnection(parameters)


@contextmanager
def failures(address: Address, what: str = "") -> Iterator[None]:
    """Turn what the client raises into errors of ours; `what` is being read."""
    from pika.exceptions import AMQPError

    try:
        yield
    except (AMQPError, OSError) as error:
        raise _failure(error, address, what) from None


def await_messages(
    connection: BlockingConnection, address: Address, what: str, seconds: float = 0.2
) -> None:
    """Let messages of `what` come to their consumers, for some seconds at most."""
    with failures(address, what):
        if not connection.is_open:
            raise ConnectionResetError("the connection was lost")
        connection.process_data_events(time_limit=seconds)


def drop(connection: BlockingConnection) -> None:
    """Close a connection, whatever the broker says to that.

    A stream that still has something to deliver answers closing with an error: the client hands
    back what it did not take yet, which streams do not know.
    """
    from pika.exceptions import AMQPError

    with suppress(AMQPError, OSError):
        if connection.is_open:
            connection.close()


def _tls(address: Address, authority: str) -> Any:
    import pika

    if address.scheme == "amqp":
        return None
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except OSError as error:
        raise InputError(f"The certificates {authority!r} cannot be read: {error}.") from None
    return pika.SSLOptions(context, address.host)


def _failure(error: Exception, address: Address, what: str) -> SourceError:
    from pika import exceptions

    code = getattr(error, "reply_code", None)
    text = str(getattr(error, "reply_text", "")) or type(error).__name__
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return SourceRefusedError(
            f"RabbitMQ at {address} does not know user {address.user!r} with this password.",
            hint="Check the user and the password.",
        )
    if isinstance(error, exceptions.ProbableAccessDeniedError):
        return SourceRefusedError(
            f"RabbitMQ at {address} does not let user {address.user!r} into the virtual host "
            f"{address.virtual_host!r}.",
            hint="Name another one after the address, or allow it.",
        )
    if isinstance(error, ssl.SSLError):
        return SourceRefusedError(
            f"No encrypted connection to RabbitMQ at {address} can be made: {_reason(error)}.",
            hint="Check the address and the port, and name the certificates to trust as authority.",
        )
    if isinstance(error, exceptions.IncompatibleProtocolError):
        return SourceRefusedError(
            f"What answers at {address} does not speak AMQP 0-9-1.",
            hint="Check the port: 5672, or 5671 with amqps://.",
        )
    refused = _REFUSALS.get(code) if isinstance(code, int) else None
    if refused:
        return SourceRefusedError(
            refused[0].format(address=address, what=what, user=address.user, text=text),
            hint=refused[1],
        )
    return SourceUnavailableError(
        f"RabbitMQ at {address} cannot be reached: {_reason(error)}.",
        hint="Check that it is up and reachable from here, then run the command again; messages "
        "that were not acknowledged come again.",
    )


_REFUSALS = {
    404: (
        "RabbitMQ at {address} has no {what} in this virtual host.",
        "Check the name and the virtual host in the address.",
    ),
    403: (
        "RabbitMQ at {address} does not let user {user!r} read {what}.",
        "Give it the right to read the queue, and with --exchange to configure and write it and "
        "to read the exchange.",
    ),
    405: ("{what} at {address} is locked by another consumer.", "End that one first."),
    406: ("RabbitMQ at {address} cannot read {what} like this: {text}.", ""),
    530: ("RabbitMQ at {address} does not allow this: {text}.", ""),
}


def _reason(error: BaseException) -> str:
    """The first thing in a nest of errors that says something."""
    found: Any = error
    while getattr(found, "args", ()) and isinstance(found.args[0], BaseException):
        found = found.args[0]
    for name in ("exception", "error"):
        inner = getattr(found, name, None)
        if isinstance(inner, BaseException):
            return _reason(inner)
    text = str(found).splitlines()[0] if str(found) else ""
    return text or type(found).__name__
