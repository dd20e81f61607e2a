"""Jaeger itself with its traces in memory, built from the Go module proxy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.install import answers, free_port, go_build, running

VERSION = "1.76.0"
"""The last of Jaeger 1; version 2 has tags that its Go module does not allow."""


@dataclass(frozen=True)
class RealJaeger:
    """Where a server answers, and where exporters send spans to."""

    address: str
    intake: str

    def export(self, spans: Sequence[Any]) -> None:
        """Send spans of the OpenTelemetry SDK; the server shows them a moment later."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult

        exporter = OTLPSpanExporter(endpoint=self.intake)
        try:
            assert exporter.export(spans) is SpanExportResult.SUCCESS
        finally:
            exporter.shutdown()


@contextmanager
def serve() -> Iterator[RealJaeger]:
    """A server without traces, on free ports of the loopback address."""
    module = f"github.com/jaegertracing/jaeger@v{VERSION}"
    program = go_build(f"jaeger-{VERSION}", module, "./cmd/all-in-one")
    flags = (
        "query.http-server", "query.grpc-server", "collector.otlp.http", "collector.otlp.grpc",
        "collector.http-server", "collector.grpc-server", "admin.http",
    )  # fmt: skip
    ports = {flag: free_port() for flag in flags}
    listen = [f"--{flag}.host-port=127.0.0.1:{port}" for flag, port in ports.items()]
    query, intake = ports["query.http-server"], ports["collector.otlp.http"]
    with (
        tempfile.TemporaryDirectory(prefix="jaeger-") as folder,
        running(
            [program, *listen],
            log=Path(folder) / "log",
            cwd=Path(folder),
            env={"SPAN_STORAGE_TYPE": "memory"},
            ready=lambda: answers(query) and answers(intake),
        ),
    ):
        yield RealJaeger(f"http://127.0.0.1:{query}", f"http://127.0.0.1:{intake}/v1/traces")
