"""The dashboards in a real browser, served as users serve them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from miner import LogFilter
from tests.dashboards.conftest import HOSTILE, hostile_events, store_of
from tests.dashboards.test_pages import PAGES
from tests.logs import events_of

CHROMIUM = "/usr/bin/chromium"
SERVE = "import sys; from pathlib import Path; from dashboards.cli import serve; serve(Path(sys.argv[1]), int(sys.argv[2]))"  # noqa: E501
SEEN = {
    "overview": "Worst bottleneck",
    "process_map": "3 of 3 activities",
    "variants": "Only these",
    "performance": "Cycle time, P95",
    "bottlenecks": "most time waiting for Check",
    "failures": "Interventions",
    "cases": "Select a row to open the case.",
    "log_quality": "16 checks",
    "conformance": "No modelled workflow of",
}
KNOWN_NOISE = ("404 (Not Found)",)
"""A deep link asks for host-config and health below the page, too; then beside it."""


@dataclass
class Tab:
    """A page in the browser and what went wrong in it."""

    page: Any
    base: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """Go to a path and wait until it stands still."""
        self.page.goto(f"{self.base}/{path}")
        return self.settled()

    def settled(self) -> Any:
        """Wait until no script runs."""
        self.page.wait_for_selector("h1", timeout=60_000)
        self.page.wait_for_selector('[data-test-script-state="notRunning"]', timeout=60_000)
        self.page.wait_for_timeout(400)
        return self.page


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium; without it these tests are skipped, but not in CI."""
    if not shutil.which(CHROMIUM):
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing: apt-get install -y chromium")
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of its own, with a plain and a hostile process."""
    with_failure = "Create@0-1(ann) Check@5-9!(bob) Check@20-29(bob) Pay@40-42(bank)"
    plain = {f"o{n}": "Create@0-1(ann) Check@5-9(bob) Pay@12-13(bank)" for n in range(8)}
    folder = store_of(
        tmp_path_factory.mktemp("served"),
        {"orders": events_of({**plain, "f1": with_failure}), HOSTILE[0]: hostile_events()},
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), str(port)], cwd=folder, stdout=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_for(base, server)
        yield base
    finally:
        server.terminate()
        assert server.wait(30) == 0


@pytest.fixture(scope="session")
def window(browser: Any) -> Iterator[Any]:
    """One window for all tabs, so that the bundles are fetched once."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield context
    context.close()


@pytest.fixture
def tab(window: Any, served: str) -> Iterator[Tab]:
    """A fresh tab that notes errors and every request that leaves the server."""
    opened = Tab(window.new_page(), served)
    page, wrong = opened.page, opened.wrong
    page.on("console", lambda message: _note(wrong, message))
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("request", lambda request: _outside(wrong, served, request.url))
    page.on("dialog", lambda dialog: (wrong.append("a dialog opened"), dialog.dismiss()))
    yield opened
    page.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_from_a_link(page: str, tab: Tab) -> None:
    shown = tab.open(f"{'' if page == 'overview' else page}?process=orders")
    shown.get_by_text(SEEN[page]).first.wait_for(timeout=30_000)
    assert "Log quality" in shown.get_by_test_id("stSidebarNav").inner_text()
    assert not tab.wrong


@pytest.mark.parametrize("page", PAGES)
def test_names_that_try_something_do_nothing(page: str, tab: Tab) -> None:
    shown = tab.open(f"{'' if page == 'overview' else page}?process={quote(HOSTILE[0])}")
    assert not tab.wrong
    assert shown.locator("img[src=x], main script").count() == 0
    assert shown.locator('a[href^="javascript"]').count() == 0


def test_a_filter_stays_from_page_to_page_and_is_in_the_link(tab: Tab, browser: Any) -> None:
    kept = LogFilter.of("failed-at Check").to_json()
    page = tab.open(f"process_map?process=orders&f={quote(kept)}")
    assert "1 of 9 cases" in page.inner_text("body")
    page.get_by_role("link", name="Performance").click()
    page.get_by_role("heading", name="Performance").wait_for()
    tab.settled()
    assert "1 of 9 cases" in page.inner_text("body")
    again = browser.new_context().new_page()
    again.goto(page.url)
    again.get_by_text("of 9 cases").first.wait_for()
    assert "1 of 9 cases" in again.inner_text("body")
    again.context.close()
    assert not tab.wrong


def test_a_card_leads_to_the_map_and_a_variant_becomes_a_filter(tab: Tab) -> None:
    page = tab.open("")
    page.get_by_role("link", name="orders").first.click()
    page.get_by_role("heading", name="Process map").wait_for()
    tab.settled()
    assert "process=orders" in page.url
    assert page.locator("svg [data-activity]").count() == 3
    page.get_by_role("link", name="Variants").click()
    page.get_by_role("button", name="Only these").first.click()
    page.get_by_text("8 of 9 cases").wait_for()
    page.get_by_role("button", name="variant 1").click()
    page.get_by_text("9 of 9 cases").wait_for()
    assert not tab.wrong


def test_a_case_opens_from_the_list_and_closes_again(tab: Tab) -> None:
    page = tab.open("cases?process=orders")
    page.locator(".stDataFrameGlideDataEditor").first.click(position={"x": 20, "y": 60})
    page.get_by_text("The case began on").wait_for()
    assert "case=" in page.url
    tab.settled()
    page.get_by_role("button", name="All cases").click()
    page.get_by_text("Select a row to open the case.").wait_for()
    tab.settled()
    assert "case=" not in page.url
    assert not tab.wrong


def test_what_is_downloaded_is_what_was_asked_for(tab: Tab) -> None:
    page = tab.open("process_map?process=orders")
    for name, begin in (("Map · SVG", b"<svg"), ("Map · PNG", b"\x89PNG"), ("Map · HTML", b"<!doc"),
                        ("Directly follows · CSV", b"\xef\xbb\xbfactivity")):  # fmt: skip
        with page.expect_download(timeout=60_000) as started:
            page.get_by_role("button", name=name).click()
        assert Path(started.value.path()).read_bytes().startswith(begin)
    assert not tab.wrong


def _wait_for(base: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            with urlopen(f"{base}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def _note(wrong: list[str], message: Any) -> None:
    if message.type == "error" and not any(noise in message.text for noise in KNOWN_NOISE):
        wrong.append(f"console: {message.text}")


def _outside(wrong: list[str], base: str, url: str) -> None:
    if not url.startswith((base, "data:", "blob:", base.replace("http", "ws"))):
        wrong.append(f"request to {url}")
