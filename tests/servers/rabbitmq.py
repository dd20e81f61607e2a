"""A real RabbitMQ from Debian's packages, unpacked rather than installed: no service is made."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import answers, built, free_port, run, running

ERLANG = (
    "asn1 base crypto eldap ftp inets mnesia os-mon parsetools public-key runtime-tools snmp ssl "
    "syntax-tools tftp tools xmerl"
)
PACKAGES = ("rabbitmq-server", *(f"erlang-{part}" for part in ERLANG.split()))


@dataclass(frozen=True)
class RabbitMQ:
    """Where the broker listens; the user `guest` has the password `guest`."""

    address: str
    management: str


@contextmanager
def serve() -> Iterator[RabbitMQ]:
    """A broker with an empty folder, which is removed afterwards."""
    program = built("rabbitmq-debian", _unpack)
    amqp, management, distribution, names = (free_port() for _ in range(4))
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as name:
        folder = Path(name)
        (folder / "plugins").write_text("[rabbitmq_management].\n", encoding="utf-8")
        (folder / "rabbitmq.conf").write_text(_settings(amqp, management), encoding="utf-8")
        environment = _environment(program, folder, amqp, distribution, names)
        # The name server of Erlang is a child of ours, so that the broker starts none that stays.
        epmd = [_erts(program) / "bin" / "epmd", "-port", str(names), "-address", "127.0.0.1"]
        log = folder / "rabbitmq.log"
        server = next(program.glob("root/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server"))
        with (
            running(epmd, log=log, ready=lambda: answers(names)),
            running(
                [server],
                log=log,
                cwd=folder,
                env=environment,
                ready=lambda: _started(log) and answers(amqp),
            ),
        ):
            yield RabbitMQ(f"amqp://127.0.0.1:{amqp}", f"http://127.0.0.1:{management}")


def _unpack(folder: Path) -> None:
    try:
        run(["apt-get", "download", "-q", *PACKAGES], cwd=folder)
    except AssertionError:  # a fresh machine has no lists of packages yet
        run([*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "-qq"])
        run(["apt-get", "download", "-q", *PACKAGES], cwd=folder)
    for package in folder.glob("*.deb"):
        run(["dpkg", "-x", package, folder / "root"])
        package.unlink()
    # Debian's own script knows only /usr/lib/erlang.
    (folder / "bin").mkdir()
    script = folder / "bin" / "erl"
    script.write_text(_ERL, encoding="utf-8")
    script.chmod(0o755)


def _erts(program: Path) -> Path:
    return next(program.glob("root/usr/lib/erlang/erts-*"))


def _started(log: Path) -> bool:
    return log.exists() and b"Server startup complete" in log.read_bytes()


def _environment(
    program: Path, folder: Path, amqp: int, distribution: int, names: int
) -> dict[str, str]:
    return {
        "PATH": f"{program / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"procession{amqp}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1",
    }


def _settings(amqp: int, management: int) -> str:
    return f"""\
listeners.tcp.default = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
"""


_ERL = """\
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/root/usr/lib/erlang
erts=$(echo "$root"/erts-*)
export ROOTDIR="$root" BINDIR="$erts/bin" EMU=beam PROGNAME=erl
exec "$BINDIR/erlexec" "$@"
"""


def children_of_erlang() -> list[str]:
    """Processes of this Erlang that run now, for a test that none stays."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if "rabbitmq-debian" in line]
