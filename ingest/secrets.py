"""Secrets of sources: out of the environment, never out of files or command lines."""

from __future__ import annotations

import os

from ingest.source import Secret


def variable(name: str, option: str) -> str:
    """The environment variable for an option of the source or configured source `name`."""
    return f"PROCESSION_{name}_{option}".upper().replace("-", "_").replace(".", "_")


def secret_of(name: str, option: str) -> Secret | None:
    """What the environment holds for it; null when it holds nothing."""
    found = os.environ.get(variable(name, option))
    return Secret(found) if found else None
