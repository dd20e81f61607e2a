"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED_LOGS = ROOT.parent / "shared" / "logs"


@pytest.fixture(scope="session")
def shared_logs() -> Path:
    """The folder of real logs, which are not part of this project."""
    if SHARED_LOGS.is_dir():
        return SHARED_LOGS
    if os.environ.get("CI"):
        pytest.fail(f"the real logs are missing from {SHARED_LOGS}")
    pytest.skip(f"the real logs are not at {SHARED_LOGS}")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not change them."""
    for name in list(os.environ):
        if name.startswith("PROCESSION_"):
            monkeypatch.delenv(name)
