"""What all tests with real servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.sources.temporal import Temporal
from tests.servers.temporal import TemporalServer, finished, serve
from tests.servers.waiting import LIMIT

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time to wait for a server, and more than once."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(3 * LIMIT))


@pytest.fixture(scope="session")
def temporal() -> Iterator[TemporalServer]:
    """The server of all tests that share one; they have workflows of their own in it."""
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def shop(temporal: TemporalServer) -> TemporalServer:
    """The server after the work of the shop."""
    from tests.servers import temporal_shop
    from tests.servers.temporal_work import QUEUE

    create = ["operator", "nexus", "endpoint", "create", "--name", temporal_shop.ENDPOINT]
    temporal.operate(*create, "--target-namespace", "default", "--target-task-queue", QUEUE)
    finished(temporal_shop.shop(temporal))
    return temporal


@pytest.fixture(scope="session")
def quiet(shop: TemporalServer) -> Temporal:
    """The workflows of the shop, in which nothing happens any more."""
    from tests.servers.temporal_shop import QUIET

    return Temporal(shop.address, query=QUIET, overlap=1)


@pytest.fixture(scope="session")
def shop_folder(quiet: Temporal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds the work of the shop; tests leave it as it is."""
    from ingest.load import load
    from miner.eventlog.store import EventStore

    folder = tmp_path_factory.mktemp("shop")
    load(quiet, EventStore(folder / "store"), process="temporal")
    return folder
