"""What all tests with real servers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.waiting import LIMIT

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time to wait for a server, and more than once."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(3 * LIMIT))
