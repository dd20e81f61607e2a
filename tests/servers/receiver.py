"""The receiver of this project as a process of its own, and exporters that send to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.eventlog.store import EventStore
from tests.servers.install import answers, free_port, running
from tests.servers.waiting import LIMIT


@dataclass(frozen=True)
class Receiver:
    """A receiver that runs, and the store that it loads into."""

    grpc_port: int
    http_port: int
    store: EventStore
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def traces(self) -> str:
        """Where OTLP over HTTP goes."""
        return f"http://127.0.0.1:{self.http_port}/v1/traces"

    def end(self) -> int:
        """Ask it to end, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(LIMIT)


@contextmanager
def receiving(folder: Path, *options: str) -> Iterator[Receiver]:
    """A receiver that loads into the store `folder`/store while the block runs."""
    grpc_port, http_port = free_port(), free_port()
    command = [
        sys.executable, "-m", "miner", "receive", "otlp", "--grpc-port", str(grpc_port),
        "--http-port", str(http_port), "--store", folder / "store", "--every", "0.2", *options,
    ]  # fmt: skip
    log = folder / "receiver.log"

    def ready() -> bool:
        return answers(grpc_port) and answers(http_port)

    with running(command, log=log, ready=ready, env={"NO_PROXY": "127.0.0.1"}) as process:
        yield Receiver(grpc_port, http_port, EventStore(folder / "store"), process, log)


@contextmanager
def tracer(
    receiver: Receiver, service: str, *, grpc: bool = False, version: str = "1.0", **about: str
) -> Iterator[Any]:
    """A tracer of the OpenTelemetry SDK; what it traced has been taken in when the block ends."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = {"service.name": service, "service.version": version, **about}
    provider = TracerProvider(resource=Resource.create(resource))
    exporter = grpc_exporter(receiver) if grpc else http_exporter(receiver)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
    try:
        yield provider.get_tracer("tests")
    finally:
        assert provider.force_flush(LIMIT * 1000)
        provider.shutdown()


def grpc_exporter(receiver: Receiver) -> Any:
    """An exporter over gRPC, packed with gzip."""
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=f"127.0.0.1:{receiver.grpc_port}", insecure=True, compression=Compression.Gzip
    )


def http_exporter(receiver: Receiver) -> Any:
    """An exporter over HTTP, packed with gzip."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=receiver.traces, compression=Compression.Gzip)
