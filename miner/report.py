"""A report of one process: one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from html import escape
from typing import Any

import polars as pl

import miner
from miner.discovery import process_map as maps
from miner.drawing.process_map import map_svg
from miner.drawing.words import spoken
from miner.eventlog.log import EventLog
from miner.eventlog.snapshots import Snapshot
from miner.web_page import web_page, web_table

MOST_ROWS = 25

Section = tuple[str, str, Callable[[EventLog], pl.DataFrame]]

SECTIONS: tuple[Section, ...] = (
    ("Variants", "The ways in which cases ran.", miner.variants),
    ("Times per activity", "Waiting, service and sojourn time.", miner.activity_times),
    ("Bottlenecks", "What cases wait for, most waiting first.", miner.bottlenecks),
    ("Failures", "Failed attempts, retries and recovery.", miner.failures),
    ("Rework", "Work that is done again; retries stand apart.", miner.rework),
    ("Handovers", "Who passes work on to whom.", miner.handovers),
    ("Longest cases", "Cases by cycle time; open ones count as they stand.", miner.cases),
    ("Log quality", "What limits the figures above.", miner.log_quality),
)


def report_html(log: EventLog, snapshot: Snapshot) -> str:
    """The process map, the figures and the tables of `log` as one HTML page.

    Tables show their first rows and say of how many. What a figure means stands below it, in the
    words of its definition. The page names the version of the data and its digest, loads nothing
    and runs no script.
    """
    whole = maps.process_map(miner.directly_follows(log), miner.activities(log))
    activities, paths = maps.opening_view(whole)
    drawn = map_svg(maps.simplify(whole, activities=activities, paths=paths))
    figures = miner.summary(log)
    shown = [
        (field.name, getattr(figures, field.name))
        for field in fields(figures)
        if field.name != "process"
    ]
    parts = [
        f"<h1>{escape(log.process)}</h1>",
        f'<p class="note">{escape(_basis(log, snapshot))}</p>',
        _figures(shown),
        _definition(miner.summary),
        "<h2>Process map</h2>",
        f'<div class="map">{drawn}</div>',
        *(_section(log, *section) for section in SECTIONS),
    ]
    return web_page(log.process, _STYLE, "\n".join(parts))


def _basis(log: EventLog, snapshot: Snapshot) -> str:
    return (
        f"Cases: {log.condition}. Data version {snapshot.version} of "
        f"{snapshot.published_at[:19].replace('T', ' ')} UTC, SHA-256 {snapshot.sha256}. "
        "Times are UTC. Open cases are left out of cycle times, failure rate, first-pass yield and "
        "throughput. A dash means unknown."
    )


def _figures(values: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt>"
        f"<dd>{escape(_shown(value, name))}</dd></div>"
        for name, value in values
    )
    return f'<dl class="figures">{cells}</dl>'


def _section(
    log: EventLog, title: str, question: str, analysis: Callable[[EventLog], pl.DataFrame]
) -> str:
    frame = analysis(log)
    return (
        f"<h2>{escape(title)}</h2><p>{escape(question)}</p>{_table(frame)}{_definition(analysis)}"
    )


def _table(frame: pl.DataFrame) -> str:
    return web_table(frame, _shown, most=MOST_ROWS)


def _definition(analysis: Callable[..., Any]) -> str:
    text = "\n".join(line.strip() for line in (analysis.__doc__ or "").strip().splitlines())
    return f"<details><summary>Definition</summary><pre>{escape(text)}</pre></details>"


def _shown(value: Any, name: str = "") -> str:
    if value is None:
        return "–"
    if isinstance(value, timedelta):
        return spoken(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        is_share = any(word in name for word in ("rate", "share", "yield"))
        return f"{value:.1%}" if is_share else f"{value:,.2f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " → ".join(map(str, value))
    return str(value)


_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1c2430; background: #fff; }
h1 { margin-bottom: .2rem; } h2 { margin: 2.2rem 0 .3rem; }
.note { color: #55606e; font-size: .85rem; overflow-wrap: anywhere; }
.figures { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.figures div { border: 1px solid #d9dee5; border-radius: 6px; padding: .5rem .7rem; }
dt { color: #55606e; font-size: .8rem; } dd { margin: 0; font-size: 1.2rem; }
.wide, .map { overflow-x: auto; } .map svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #e6e9ee;
  max-width: 28rem; overflow-wrap: anywhere; vertical-align: top; }
th { color: #55606e; font-weight: 600; white-space: nowrap; }
details { margin-top: .4rem; color: #55606e; font-size: .85rem; } pre { white-space: pre-wrap; }
@media print { details { display: none; } }
"""
