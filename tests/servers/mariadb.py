"""MariaDB of Debian in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers.install import answers, apt, free_port, run, running

SERVER = Path("/usr/sbin/mariadbd")
USER = "procession"
PASSWORD = "pro&cess @ion"
"""With signs that an address has to escape."""


@dataclass(frozen=True)
class MariaDb:
    """A MariaDB server with an empty database `work`, and a user who may do everything."""

    port: int
    socket: Path
    user: str = USER
    password: str = PASSWORD
    database: str = "work"

    @property
    def url(self) -> str:
        """The address of the database, with user and password in it."""
        who = f"{self.user}:{quote(self.password, safe='')}"
        return f"mariadb://{who}@127.0.0.1:{self.port}/{self.database}"

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection that commits each statement."""
        import pymysql

        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            autocommit=True,
        )
        try:
            yield connection
        finally:
            connection.close()

    def execute(self, *statements: str) -> list[Any]:
        """Run statements; the rows of the last one."""
        with self.connected() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def serve(*settings: str) -> Iterator[MariaDb]:
    """A fresh server with a binary log on a free port of the loopback address."""
    apt("mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    try:
        if os.geteuid() == 0:
            mysql = pwd.getpwnam("mysql")
            os.chown(folder, mysql.pw_uid, mysql.pw_gid)
        with _serving(folder, settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(folder: Path, settings: tuple[str, ...]) -> Iterator[MariaDb]:
    data, socket, port = folder / "data", folder / "socket", free_port()
    as_mysql = ["--user=mysql"] if os.geteuid() == 0 else []
    run(
        [
            "mariadb-install-db", "--no-defaults", f"--datadir={data}", *as_mysql,
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ]
    )  # fmt: skip
    command: list[str | Path] = [
        SERVER, "--no-defaults", f"--datadir={data}", f"--port={port}", f"--socket={socket}",
        "--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}", *as_mysql, "--log-bin",
        "--server-id=1", "--binlog-format=ROW", "--binlog-row-metadata=FULL",
        "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", *settings,
    ]  # fmt: skip
    log = folder / "mariadb.log"
    with running(command, log=log, ready=lambda: answers(port) and socket.exists()):
        server = MariaDb(port, socket)
        statements = (
            f"create user '{USER}'@'127.0.0.1' identified by '{PASSWORD}'; "
            f"grant all on *.* to '{USER}'@'127.0.0.1' with grant option; "
            f"create database {server.database}; reset master"
        )
        run(["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", statements])
        yield server
