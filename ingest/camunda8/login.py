"""Access tokens for Camunda 8: OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

from collections.abc import Callable

from ingest.source import Secret
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError


def tokens(address: str, client: str, secret: Secret, audience: str) -> Callable[[], str]:
    """What gets a new token each time it is called.

    It raises SourceRefusedError when the client is not accepted, SourceUnavailableError when the
    server that issues tokens does not answer. InputError without an address.
    """
    if not address:
        raise InputError(
            "A client needs the address where it gets its tokens.", hint="Give --token-address."
        )
    wanted = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": str.__str__(secret),
        **({"audience": audience} if audience else {}),
    }

    def renew() -> str:
        import httpx

        try:
            answer = httpx.post(address, data=wanted, timeout=30)
        except httpx.InvalidURL as error:
            raise InputError(f"{address!r} is no address: {error}.") from error
        except httpx.TransportError as error:
            raise SourceUnavailableError(
                f"{address} cannot be reached, so there is no token: {type(error).__name__}.",
                hint="Check that it is up and reachable from here.",
            ) from None
        if answer.status_code >= 500:
            raise SourceUnavailableError(
                f"{address} answered {answer.status_code} instead of a token.", hint="Try later."
            )
        try:
            return str(answer.raise_for_status().json()["access_token"])
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
            raise SourceRefusedError(
                f"{address} answered {answer.status_code} and no token for the client {client!r}.",
                hint="Check the id, the secret and the audience of the client.",
            ) from None

    return renew
