"""Camunda 7 and Operaton: runs of two versions, held against the version they ran on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.load import load
from ingest.source import Secret
from ingest.sources.camunda7 import Camunda7
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.servers import operaton
from tests.servers.conformance import judged, matrix
from tests.servers.operaton_orders import ORDER, READER, SECOND_ORDER, SHIPMENT, Orders

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("camunda7")]


def two_versions(orders: Orders) -> None:
    """Four orders on the first version, four on the second; the clerk interferes with three."""
    orders.people()
    orders.deploy(SHIPMENT, "shipment")
    orders.deploy(ORDER, "order")
    orders.through("happy")
    orders.through("flaky", failures=2)
    orders.order("gone")
    orders.check_stock("gone", error="no-stock")
    orders.order("late", patience="PT1S")
    orders.check_stock("late")
    orders.deploy(SECOND_ORDER, "order-2")
    orders.through("second")
    orders.order("waved through")
    orders.check_stock("waved through")
    orders.wave_through("waved through")
    orders.ended("waved through")
    orders.order("checked again")
    orders.check_stock("checked again")
    orders.check_again("checked again")
    orders.check_stock("checked again")
    orders.approve("checked again")
    orders.ended("checked again")
    orders.order("mended", paying=False)
    orders.check_stock("mended")
    orders.approve("mended")
    orders.mend("mended")
    orders.ended("mended")
    orders.ended("late")


@pytest.mark.parametrize("engine", [operaton.CAMUNDA, operaton.OPERATON], ids=lambda e: e.name)
def test_the_matrix_shows_exactly_what_the_clerk_changed(
    engine: operaton.Engine, tmp_path: Path
) -> None:
    with operaton.serve(engine) as served:
        orders = Orders(served)
        two_versions(orders)
        orders.close()
        user, password = READER
        source = Camunda7(address=served.address, user=user, password=Secret(password))
        load(source, EventStore(tmp_path / "store"), process="camunda")
    assert matrix(tmp_path, "order") == [
        ("2", "Approve order twice ä", "skipped", 1),
        ("2", "Charge card", "repeated", 1),
        ("2", "Check stock", "repeated", 1),
    ]
    assert judged(tmp_path, "order") == {
        "cases": 8,
        "conforming_cases": 5,
        "open_cases": 0,
        "unmodelled_cases": 0,
        "unaligned_cases": 0,
    }
    rows = answer(tmp_path, "deviations", "order")
    assert {row["activity"]: row["case_id"] for row in rows} == {
        "Approve order twice ä": orders.cases["waved through"],
        "Charge card": orders.cases["mended"],
        "Check stock": orders.cases["checked again"],
    }
    assert matrix(tmp_path, "shipment") == []
    assert judged(tmp_path, "shipment")["conforming_cases"] == 6
