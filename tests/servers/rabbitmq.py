"""A real RabbitMQ from Debian's packages, unpacked rather than installed: no service is made."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.servers.certificates import certificate
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
    encrypted: str
    certificate: Path
    management: str


class Broker:
    """The broker, as somebody who writes to it and administers it sees it."""

    def __init__(self, rabbit: RabbitMQ) -> None:
        import pika

        self.rabbit = rabbit
        self.pika = pika
        port = int(rabbit.address.rsplit(":", 1)[1])
        self.connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def queue(self, name: str, **arguments: Any) -> None:
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.channel.queue_declare(name, durable=True, arguments=given)

    def write(
        self, queue: str, values: Iterable[dict[str, Any]], exchange: str = "", **properties: Any
    ) -> None:
        """Messages, each with an id."""
        for i, value in enumerate(values):
            about = {"message_id": f"{value['order']}-{i}", **properties}
            self.put(queue, json.dumps(value).encode(), exchange, **about)

    def put(self, queue: str, body: bytes, exchange: str = "", **properties: Any) -> None:
        """One message as it is."""
        about = self.pika.BasicProperties(**properties)
        self.channel.basic_publish(exchange, queue, body, about)

    def waiting(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def hang_up(self) -> int:
        """End the connections of readers; how many there were."""
        listed = httpx.get(
            f"{self.rabbit.management}/api/connections", auth=("guest", "guest")
        ).json()
        ours = [
            each["name"]
            for each in listed
            if each.get("client_properties", {}).get("connection_name") == "procession"
        ]
        for each in ours:
            self.manage("DELETE", f"connections/{quote(each, safe='')}")
        return len(ours)

    def manage(self, method: str, path: str, body: Any = None) -> None:
        """A request to the interface for administrators."""
        url = f"{self.rabbit.management}/api/{path}"
        httpx.request(method, url, json=body, auth=("guest", "guest")).raise_for_status()


@contextmanager
def serve() -> Iterator[RabbitMQ]:
    """A broker with an empty folder, which is removed afterwards."""
    program = built("rabbitmq-debian-12", _unpack)
    amqp, encrypted, management, distribution, names = (free_port() for _ in range(5))
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as name:
        folder = Path(name)
        (folder / "plugins").write_text("[rabbitmq_management].\n", encoding="utf-8")
        made, key = certificate(folder)
        settings = _settings(amqp, encrypted, management, made, key)
        (folder / "rabbitmq.conf").write_text(settings, encoding="utf-8")
        environment = _environment(program, folder, amqp, distribution, names)
        # The name server of Erlang is a child of ours, so that the broker starts none that stays.
        epmd: list[str | Path] = [
            _erts(program) / "bin" / "epmd",
            "-port",
            str(names),
            "-address",
            "127.0.0.1",
        ]
        log = folder / "rabbitmq.log"
        server = next(program.glob("unpacked/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server"))
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
            yield RabbitMQ(
                f"amqp://127.0.0.1:{amqp}",
                f"amqps://127.0.0.1:{encrypted}",
                made,
                f"http://127.0.0.1:{management}",
            )


def _unpack(folder: Path) -> None:
    try:
        run(["apt-get", "download", "-q", *PACKAGES], cwd=folder)
    except AssertionError:  # a fresh machine has no lists of packages yet
        run([*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "-qq"])
        run(["apt-get", "download", "-q", *PACKAGES], cwd=folder)
    for package in folder.glob("*.deb"):
        run(["dpkg", "-x", package, folder / "unpacked"])
        package.unlink()
    # Debian's own script knows only /usr/lib/erlang.
    (folder / "bin").mkdir()
    script = folder / "bin" / "erl"
    script.write_text(_ERL, encoding="utf-8")
    script.chmod(0o755)


def _erts(program: Path) -> Path:
    return next(program.glob("unpacked/usr/lib/erlang/erts-*"))


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


def _settings(amqp: int, encrypted: int, management: int, certificate: Path, key: Path) -> str:
    return f"""\
listeners.tcp.default = 127.0.0.1:{amqp}
listeners.ssl.default = 127.0.0.1:{encrypted}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
"""


_ERL = """\
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/unpacked/usr/lib/erlang
erts=$(echo "$root"/erts-*)
export ROOTDIR="$root" BINDIR="$erts/bin" EMU=beam PROGNAME=erl
exec "$BINDIR/erlexec" "$@"
"""
