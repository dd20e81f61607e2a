"""The dashboards: `procession serve` runs this file."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards import address
from dashboards.components.freshness import freshness
from dashboards.components.opening import failed
from miner.errors import MinerError

HERE = Path(__file__).parent
PAGES = {
    "": (("Overview", "overview", "grid_view"),),
    "Explore": (
        ("Process map", "process_map", "account_tree"),
        ("Variants", "variants", "alt_route"),
        ("Cases", "cases", "view_list"),
    ),
    "Measure": (
        ("Performance", "performance", "speed"),
        ("Bottlenecks", "bottlenecks", "hourglass_top"),
        ("Failures and rework", "failures", "error_outline"),
    ),
    "Audit": (("Conformance", "conformance", "rule"),),
    "Data": (("Log quality", "log_quality", "fact_check"),),
}


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(
        page_title="Procession", page_icon=str(HERE / "assets" / "icon.svg"), layout="wide"
    )
    chosen = st.navigation(
        {
            section: [
                st.Page(
                    HERE / "pages" / f"{name}.py",
                    title=title,
                    icon=f":material/{icon}:",
                    default=name == "overview",
                )
                for title, name, icon in pages
            ]
            for section, pages in PAGES.items()
        }
    )
    address.restore()
    try:
        with st.sidebar:
            freshness()
        chosen.run()
    except MinerError as error:
        failed(error)


main()
