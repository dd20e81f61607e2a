"""Camunda 8: runs of two versions on a real broker, held against the version they ran on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import answer
from tests.servers import camunda8
from tests.servers.camunda8_orders import ORDER, SECOND_ORDER, SHIPPING, Orders
from tests.servers.camunda8_search import searchable
from tests.servers.conformance import judged, matrix

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("camunda8")]


def two_versions(orders: Orders) -> None:
    """Two orders on the first version, four on the second; somebody interferes with three."""
    orders.deploy(ORDER, SHIPPING)
    orders.one()
    orders.three()
    orders.deploy(SECOND_ORDER)
    orders.five()
    orders.until_approval("waved through")
    orders.move("waved through", "ship")
    orders.work("pack")
    orders.until_approval("charged again")
    orders.move("charged again", "charge")
    orders.work("charge", "check")
    orders.approve("charged again", "bob", nth=2)
    orders.work("pack")
    orders.start("resolved")
    orders.fail("charge", 0)
    orders.resolve("resolved")
    orders.work("charge", "check")
    orders.approve("resolved", "ada")
    orders.work("pack")
    orders.camunda.settled()


def test_the_matrix_shows_exactly_what_people_changed(tmp_path: Path) -> None:
    records, searched = tmp_path / "records", tmp_path / "searched"
    with camunda8.serve() as camunda:
        orders = Orders(camunda)
        two_versions(orders)
        orders.api.close()
        read = ["zeebe-records", str(camunda.exported), "--process", "camunda"]
        assert answer(records, "load", *read)["cases"] == 6 + 5
        with searchable(camunda.exported) as search:
            read = ["camunda8", "--address", search.address, "--process", "camunda"]
            assert answer(searched, "load", *read)["cases"] == 6 + 5
    for folder in (records, searched):
        assert matrix(folder, "order") == [
            ("2", "Approve order", "skipped", 1),
            ("2", "Charge card", "repeated", 2),
            ("2", "Check order", "repeated", 1),
        ]
        assert judged(folder, "order") == {
            "cases": 6,
            "conforming_cases": 3,
            "open_cases": 0,
            "unmodelled_cases": 0,
            "unaligned_cases": 0,
        }
        rows = answer(folder, "deviations", "order")
        assert {(row["activity"], row["case_id"]) for row in rows} == {
            ("Approve order", str(orders.cases["waved through"])),
            ("Charge card", str(orders.cases["charged again"])),
            ("Charge card", str(orders.cases["resolved"])),
            ("Check order", str(orders.cases["charged again"])),
        }
        assert judged(folder, "shipping")["conforming_cases"] == 5
