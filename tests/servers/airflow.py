"""A real Apache Airflow 3 on SQLite, from PyPI in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.servers.install import built, free_port, run, running, venv
from tests.servers.waiting import LIMIT

VERSION = "3.3.2"
PASSWORDS = {"ada": "s3cret-of-ada", "ben": "s3cret-of-ben"}
"""Ada may do everything, Ben may look."""


@dataclass(frozen=True)
class Airflow:
    """Where its interface and its metadata database are, and its folder of DAGs."""

    address: str
    database: str
    dags: Path

    def token(self, user: str = "ada") -> str:
        asked = {"username": user, "password": PASSWORDS[user]}
        return str(_ask(f"{self.address}/auth/token", asked)["access_token"])

    def ask(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        """What the interface answers Ada."""
        return _ask(f"{self.address}/api/v2{path}", body, self._token, method)

    @cached_property
    def _token(self) -> str:
        return self.token()


@contextmanager
def serve(dags: dict[str, str]) -> Iterator[Airflow]:
    """The whole of it with `dags` (texts by file name); all is gone afterwards."""
    programs = venv(
        f"airflow-{VERSION}",
        f"apache-airflow=={VERSION}",
        "apache-airflow-providers-standard==1.21.0",
    )
    command = programs / "bin" / "airflow"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="airflow-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "dags").mkdir()
        for file, text in dags.items():
            (folder / "dags" / file).write_text(text, encoding="utf-8")
        (folder / "passwords.json").write_text(json.dumps(PASSWORDS), encoding="utf-8")
        environment = _environment(folder, port)
        database = f"sqlite:///{folder / 'airflow.db'}"
        shutil.copy(_empty_database(programs), folder / "airflow.db")
        address = f"http://127.0.0.1:{port}"
        api: list[str | Path] = [
            command,
            "api-server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ]
        parts: dict[str, list[str | Path]] = {
            "scheduler": [command, "scheduler", "--skip-serve-logs"],
            "dag-processor": [command, "dag-processor"],
            "api-server": api,
        }
        processes = []
        for part, started in parts.items():
            up = _answers(address) if part == "api-server" else _at_once
            process = stack.enter_context(
                running(
                    started,
                    log=folder / f"{part}.log",
                    ready=up,
                    env={**_path(programs), **environment},
                    cwd=folder,
                )
            )
            processes.append(process)
        try:
            yield Airflow(address, database, folder / "dags")
        finally:
            _end(processes)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End all at once, because each takes seconds, and the interface more than it is given."""
    for process in processes:
        os.killpg(process.pid, signal.SIGTERM)
    limit = time.monotonic() + 3
    while time.monotonic() < limit and any(process.poll() is None for process in processes):
        time.sleep(0.1)
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _empty_database(programs: Path) -> Path:
    """A database with all tables and nothing in them, made once."""

    def build(folder: Path) -> None:
        run(
            [programs / "bin" / "airflow", "db", "migrate"],
            env={**os.environ, **_path(programs), **_environment(folder, 1)},
        )

    return built(f"airflow-{VERSION}-database", build) / "airflow.db"


def _at_once() -> bool:
    return True


def _answers(address: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/api/v2/version", timeout=5):
                return True
        except OSError:
            return False

    return ready


def _ask(address: str, body: Any, token: str | None = None, method: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, content, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=LIMIT) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{address}: {error.code} {error.read()[:500]!r}") from error


def _path(programs: Path) -> dict[str, str]:
    return {"PATH": f"{programs / 'bin'}:{os.environ['PATH']}", "HOME": os.environ["HOME"]}


def _environment(folder: Path, port: int) -> dict[str, str]:
    settings = {
        "CORE__DAGS_FOLDER": folder / "dags",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 3,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,ben:viewer",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": folder / "passwords.json",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__FERNET_KEY": "cHJvY2Vzc2lvbi1wcm9jZXNzaW9uLXByb2Nlc3Npb24=",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "API_AUTH__JWT_SECRET": "procession-procession-procession-procession",
        "API__SECRET_KEY": "procession-procession-procession-procession",
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "LOGGING__BASE_LOG_FOLDER": folder / "logs",
        "DAG_PROCESSOR__REFRESH_INTERVAL": 1,
        # A version read sooner than this after the one before is forgotten until the file is
        # read again, and one that changes while it is read is read again only then.
        "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": 0,
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 10,
        "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": 1,
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.2,
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return {"AIRFLOW_HOME": str(folder), "NO_PROXY": "127.0.0.1,localhost"} | {
        f"AIRFLOW__{key}": str(value) for key, value in settings.items()
    }
