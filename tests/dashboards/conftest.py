"""Stores to look at, and the application on top of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from miner import EventStore
from miner.settings import settings
from tests.logs import events_of

ROOT = Path(__file__).parents[2]
APP = ROOT / "dashboards" / "app.py"

ORDERS = {
    **{f"o{n:02}": "Create@0-1(ann) Check@5-9(bob) Pay@12-13(bank)" for n in range(8)},
    **{f"r{n:02}": "Create@0-1(ann) Check@5-9(bob) Check@20-29(ann) Pay@40-42(bank)"
       for n in range(3)},
    "f01": "Create@0-1(ann) Check@5-9!(bob) Check@11-15(bob) Pay@20-21(bank)",
    "open": "Create@0-1(ann) Check@30-(bob)",
}  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>",
    "**bold** [x](javascript:alert(1)) $a$ :smile: :red[x] `c`",
    "=1+1",
    "a\nb\tc\x00\x07d",
    "quote \" and ' and \\",
    "x" * 3_000,
    "\u202eright to left \U0001f600",
    "<img src=x onerror=alert(1)>",
)


def store_of(folder: Path, processes: Mapping[str, pl.DataFrame]) -> Path:
    """A store with the events of each process."""
    for process, events in processes.items():
        with EventStore(folder).write() as writer:
            writer.append(events, source="test", process=process)
    return folder


def hostile_events() -> pl.DataFrame:
    """Events in which every name tries something."""
    names = list(HOSTILE)
    traces = {f"c{n}": "A@0-1(r) B@5-9!(r) C@12-13(r)" for n in range(4)}
    frame = events_of(traces).with_columns(
        case_id=pl.col("case_id") + pl.lit(names[0] + names[1] + names[3].replace("\x00", "")),
        activity=pl.col("activity").replace({"A": names[1], "B": names[7], "C": names[5]}),
        resource=pl.lit(names[0]),
        error_type=pl.when(pl.col("lifecycle") == "fail").then(pl.lit(names[2])),
        process_version=pl.lit(names[6]),
    )
    extra = events_of(dict.fromkeys(("x", "y"), "A@0-1 B@2-3")).with_columns(
        activity=pl.col("activity").replace({"A": names[4], "B": names[3].replace("\x00", "")})
    )
    rejected = pl.DataFrame({"reason": [names[0]], "record": [names[1]]})
    return pl.concat([frame, extra, rejected], how="diagonal")


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two processes, one of them with failures, rework and an open case."""
    tickets = {f"t{n}": "Open@0 Close@60" for n in range(4)}
    return store_of(
        tmp_path_factory.mktemp("orders"),
        {"orders": events_of(ORDERS), "tickets": events_of(tickets)},
    )


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose names try to be something else."""
    return store_of(tmp_path_factory.mktemp("hostile"), {"<b>p</b> *x*": hostile_events()})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Make the dashboards read a store."""

    def chosen(store: Path) -> None:
        monkeypatch.setenv("PROCESSION_STORE", str(store))
        settings.cache_clear()

    yield chosen
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def _as_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `serve` switches off: Streamlit's own idea of a folder named pages."""
    from streamlit.runtime.pages_manager import PagesManager

    made = PagesManager.__init__

    def as_served(self: Any, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", as_served)


@pytest.fixture
def visit(use: Callable[[Path], None], _as_served: None) -> Callable[..., Any]:
    """Open a page of a store, with parameters of its address."""
    from streamlit.testing.v1 import AppTest

    def opened(store: Path, page: str, **parameters: str) -> Any:
        use(store)
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.run()  # its pages are known from then on
        if page != "overview":
            app.switch_page(f"pages/{page}.py")
        app.query_params.clear()
        app.query_params.update(parameters)
        return app.run()

    return opened


def words(app: Any) -> str:
    """All text on the page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "error", "success",
             "warning", "code")  # fmt: skip
    texts = [str(element.value) for kind in kinds for element in getattr(app, kind)]
    texts += [f"{metric.label} {metric.value}" for metric in app.metric]
    texts += [button.label for button in app.button]
    return "\n".join(texts)
