"""What databases say when something is wrong, in our words and without the password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from miner.errors import MinerError, SourceError, SourceRefusedError, SourceUnavailableError

REFUSALS = (
    (
        r"password|access denied for user|authentication|login failed|ORA-01017|pg_hba"
        r"|no such user|role .* does not exist",
        "It did not let us in",
        "Check user and password in the address of the database.",
    ),
    (
        r"permission denied|command denied|insufficient privilege|ORA-01031|not authorized",
        "It does not allow this",
        "Give this user the right to read the tables: GRANT SELECT.",
    ),
    (
        r"no such table|(relation|table|view|invalid object)\b.* (does not|doesn't) exist"
        r"|invalid object name|ORA-00942|undefined_table",
        "It has no such table",
        "Check the query and the name of the table, with its schema.",
    ),
    (
        r"no such column|unknown column|column .* does not exist|invalid column|ORA-00904",
        "It has no such column",
        "Check the query against the table: the schema may have changed.",
    ),
    (
        r"unknown database|database .* does not exist|cannot open database",
        "It has no such database",
        "Check the name at the end of the address.",
    ),
    (
        r"read[- ]?only",
        "It was asked to change something",
        "Only queries that read are run: begin with SELECT or WITH.",
    ),
    (r"syntax error|error in your SQL syntax", "It cannot understand the query", "Correct it."),
)
AWAY = (
    r"refused|timed? ?out|could not connect|can't connect|unable to connect|lost connection"
    r"|server has gone away|terminating connection|starting up|shutting down|closed the connection"
    r"|connection reset|broken pipe|network|name or service|translate host|resolve|too many"
    r"|database is locked|deadlock|no route|temporar|server closed"
)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Errors of the driver in the block are raised as ours."""
    try:
        yield
    except MinerError:
        raise
    except Exception as error:  # each driver has errors of its own
        if not _of_driver(error):
            raise
        raise failure(error, url) from None


def failure(error: Exception, url: str) -> SourceError:
    """Our error for what a driver raised."""
    said = _said(error, url)
    where = _where(url)
    if not re.search(AWAY, said, re.I) or re.search("password authentication", said, re.I):
        for pattern, meaning, hint in REFUSALS:
            if re.search(pattern, said, re.I):
                return SourceRefusedError(f"{where}: {meaning}: {said}", hint=hint)
    if re.search(AWAY, said, re.I):
        return SourceUnavailableError(
            f"{where} cannot be reached: {said}",
            hint="Check that it is up and reachable from here, then run the command again.",
        )
    return SourceRefusedError(f"{where} refused: {said}", hint="Correct the query or the options.")


def _of_driver(error: Exception) -> bool:
    names = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    known = {"adbc_driver_manager", "sqlalchemy", "pymysql", "sqlite3", "pymssql", "oracledb"}
    return bool(names & known) or isinstance(error, OSError)


def shown_address(url: str) -> str:
    """What may be shown of an address: the kind of database, host and name."""
    match = re.match(r"([\w+]+)://(?:.*@)?([^?]*)", url)
    return f"{match[1].split('+')[0]}://{match[2]}" if match else ""


def _where(url: str) -> str:
    return f"The database {shown_address(url)}".rstrip()


def _said(error: Exception, url: str) -> str:
    """The first line of what a driver says that tells something, without the password."""
    cause = getattr(error, "orig", None) or error
    arguments: tuple[object, ...] = cause.args
    if len(arguments) == 2 and isinstance(arguments[0], int):  # number and text
        text = f"{arguments[1]} ({arguments[0]})"
    else:
        text = str(cause)
    text = text.split("Query was:")[0].split("SQLSTATE")[0]
    text = re.sub(r"^[A-Z_]+: |\[libpq\] |Failed to \w+( query)?( '.*')?: |\bERROR: +", "", text)
    lines = [line.strip() for line in text.strip().splitlines() if line.strip(" ^.")]
    said = "; ".join(lines[:2])[:400] or type(error).__name__
    match = re.match(r"[\w+]+://[^:/@]*:(.*)@", url)
    if match and match[1]:
        for secret in (match[1], unquote(match[1])):
            said = said.replace(secret, "***")
    return said.rstrip(".") + "."
