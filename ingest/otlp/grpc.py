"""OTLP over gRPC: the service of the collector that takes in traces."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ingest.otlp.intake import PROTOBUF, RETRY_SECONDS, Intake, answer, refusal
from ingest.otlp.spool import SpoolFullError
from miner.errors import InputError, MissingPackageError, StoreError

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
THREADS = 8
CALLS = 256
"""Calls at once; further ones are told that resources are exhausted."""
_FULL = "too much is waiting; send it again later"


@contextmanager
def grpc_server(intake: Intake, host: str, port: int, most_bytes: int) -> Iterator[None]:
    """A server that runs while the block does; ends when its last answers are given.

    Raises InputError when it cannot listen there, or when grpcio is missing.
    """
    grpc = _library()
    server = grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="grpc"),
        maximum_concurrent_rpcs=CALLS,
        options=[("grpc.max_receive_message_length", most_bytes), ("grpc.so_reuseport", 0)],
    )

    def export(body: bytes, context: Any) -> bytes:
        """Take in one request; the answer is given when the spans are on the disk."""
        try:
            taken = intake.take(PROTOBUF, body)
            taken.kept.result()
        except SpoolFullError:
            context.set_trailing_metadata((("grpc-status-details-bin", _come_again()),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not a request of OTLP: {error}"[:300])
        except StoreError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, error.message)
        return answer(taken, PROTOBUF)

    # Bytes in and out: the spool keeps requests as they came.
    method = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Export": method}),)
    )
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise InputError(
            f"Nothing can listen on {host}:{port}; something else may.",
            hint="Name another port with --grpc-port, or 0 for none.",
        ) from error
    server.start()
    try:
        yield
    finally:
        server.stop(10).wait()


def _come_again() -> bytes:
    """A `google.rpc.Status` with a `RetryInfo`: without one, exporters drop what was refused."""
    from google.protobuf.any_pb2 import Any as Detail

    delay = bytes([0x0A, 2, 0x08, RETRY_SECONDS])
    detail = Detail(type_url="type.googleapis.com/google.rpc.RetryInfo", value=delay)
    content: bytes = detail.SerializeToString()
    return refusal(8, _FULL, PROTOBUF) + bytes([0x1A, len(content)]) + content


def _library() -> Any:
    try:
        import grpc
    except ImportError as error:
        raise MissingPackageError(
            "Receiving OTLP over gRPC",
            "grpcio",
            "otlp",
            instead="; or take in HTTP only: --grpc-port 0",
        ) from error
    return grpc
