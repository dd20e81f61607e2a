"""The parts that a printable page without scripts is put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from miner.drawing.words import spoken
from miner.web_page import text, web_page, web_table

MOST_ROWS = 25
_SHARES = ("rate", "share", "fitness", "precision")


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page: it needs no network, runs no script, and follows the reader's light or dark."""
    return web_page(title, _STYLE, "\n".join(parts))


def section(title: str, *parts: str) -> str:
    """A heading with what stands below it."""
    return "\n".join([f"<h2>{text(title)}</h2>", *parts])


def paragraph(said: str) -> str:
    """One paragraph of plain text."""
    return f"<p>{text(said)}</p>"


def listed(said: Sequence[str], *, none: str) -> str:
    """A list of sentences, or the sentence to say where there are none."""
    if not said:
        return paragraph(none)
    return "<ul>" + "".join(f"<li>{text(each)}</li>" for each in said) + "</ul>"


def figures(values: Mapping[str, Any]) -> str:
    """Names with their values, as cards."""
    cells = "".join(
        f"<div><dt>{text(name.replace('_', ' '))}</dt><dd>{text(shown(value, name))}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="figures">{cells}</dl>'


def facts(values: Mapping[str, Any]) -> str:
    """Names with their values, line by line."""
    rows = "".join(
        f"<tr><th>{text(name)}</th><td>{text(shown(value, name))}</td></tr>"
        for name, value in values.items()
    )
    return f'<div class="wide"><table>{rows}</table></div>'


def table(frame: pl.DataFrame, *, file: str | None = None, most: int = MOST_ROWS) -> str:
    """The first rows of a frame, and of how many; `file` has them all."""
    note = f" All of them are in {file}." if file else ""
    return web_table(frame, shown, most=most, note=note)


def shown(value: Any, name: str = "") -> str:
    """A value as people read it; a dash for null."""
    if value is None:
        return "–"
    if isinstance(value, timedelta):
        return spoken(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        is_share = any(word in name for word in _SHARES)
        return f"{100 * value:.2f} %" if is_share else f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(shown(each) for each in value)
    return str(value)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #55606e; --line: #d9dee5;
  --ground: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a3adba; --line: #3a4350; --ground: #14181e; }
}
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --ground: #fff; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: var(--ink); background: var(--ground); }
h1 { margin-bottom: .2rem; } h2 { margin: 2.2rem 0 .3rem; break-after: avoid; }
.note { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
.answer { font-size: 1.15rem; border-left: 4px solid var(--line); padding-left: .8rem; }
.figures { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.figures div { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .7rem;
  break-inside: avoid; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; font-size: 1.2rem; }
.wide, .drawn { overflow-x: auto; } .drawn svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line);
  max-width: 36rem; overflow-wrap: anywhere; vertical-align: top; }
th { color: var(--soft); font-weight: 600; } thead th { overflow-wrap: normal; }
tr { break-inside: avoid; }
"""
