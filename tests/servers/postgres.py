"""PostgreSQL of Debian in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import apt, free_port, run, running

BINARIES = Path("/usr/lib/postgresql")
"""Debian puts each version in a folder below this one."""
USER = "procession"
PASSWORD = "pro&cess ion"
"""With signs that an address has to escape."""


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server and its superuser."""

    port: int
    folder: Path
    """Of the programs, like `psql`."""
    user: str = USER
    password: str = PASSWORD

    def url(self, database: str = "postgres") -> str:
        """The address of a database, with user and password in it."""
        from urllib.parse import quote

        password = quote(self.password, safe="")
        return f"postgresql://{self.user}:{password}@127.0.0.1:{self.port}/{database}"

    def jdbc(self, database: str) -> str:
        """The address of a database for Java."""
        from urllib.parse import quote

        login = f"user={self.user}&password={quote(self.password, safe='')}"
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{database}?{login}"

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run statements, each in a transaction of its own; what psql prints, without frames."""
        command = [self.folder / "psql", "-h", "127.0.0.1", "-p", str(self.port)]
        command += ["-U", self.user, "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt", "-c", sql]
        return run(command, env={**os.environ, "PGPASSWORD": self.password})

    def create(self, database: str) -> str:
        """Make an empty database; its address."""
        self.execute(f'create database "{database}"')
        return self.url(database)


@contextmanager
def serve(*settings: str) -> Iterator[Postgres]:
    """A fresh server on a free port of the loopback address, with `name=value` settings."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            os.chown(folder, postgres.pw_uid, postgres.pw_gid)
        with _serving(programs, folder, settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(programs: Path, folder: Path, settings: tuple[str, ...]) -> Iterator[Postgres]:
    secret = folder / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    data, port = folder / "data", free_port()
    initdb = [programs / "initdb", "-D", data, "-U", USER, f"--pwfile={secret}", "--no-sync"]
    run([*_as_postgres(), *initdb, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"], cwd=folder)
    command = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder]
    wanted = ["listen_addresses=127.0.0.1", "fsync=off", "wal_level=logical", *settings]
    for setting in wanted:
        command += ["-c", setting]
    ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]

    def is_ready() -> bool:
        return subprocess.run([str(part) for part in ready], check=False).returncode == 0

    log = folder / "postgres.log"
    with running([*_as_postgres(), *command], log=log, ready=is_ready, cwd=folder):
        yield Postgres(port, programs)


def _programs() -> Path:
    """Where the programs are; installs PostgreSQL when there is none."""
    if not any(BINARIES.glob("*/bin/postgres")):
        apt("postgresql")
    return max(BINARIES.glob("*/bin/postgres")).parent


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
