"""The process map as a picture: SVG, PNG, and a page that needs no network."""

from __future__ import annotations

from pathlib import Path

from miner.discovery.process_map import ProcessMap
from miner.drawing.layout import Direction
from miner.drawing.map_marks import Show
from miner.drawing.map_page import map_html
from miner.drawing.map_picture import pieces, svg
from miner.drawing.palette import Theme, palette
from miner.drawing.text import needs_system_fonts

__all__ = ["map_html", "map_png", "map_svg"]

_FONT = "DejaVu Sans"


def map_svg(
    process_map: ProcessMap,
    *,
    show: Show = "frequency",
    theme: Theme = "light",
    direction: Direction = "TB",
    timeout: float = 10.0,
) -> str:
    """The map as an SVG document with its legend, drawn exactly as it is: simplify it first.

    `show` "frequency" colours boxes and paths by how often, "time" boxes by median service time
    and paths by median time between, widths by cases, and "failures" boxes by the share of
    instances that failed. What is not known is grey and shows a dash. Paths against the main
    flow are dashed. The legend always says how much of the whole is shown, and says so when the
    layout took longer than `timeout` seconds and a plainer one stood in.

    Names may hold anything. There is no script, style sheet, id or outside address in the result,
    so any number of maps can stand in one page. A map without activities gives a picture that
    says so.
    """
    colours = palette(theme, show)
    parts, label = pieces(process_map, show, colours, direction, timeout)
    return svg(parts, colours, label)


def map_png(svg: str, *, scale: float = 2) -> bytes:
    """An SVG of `map_svg` as PNG, `scale` pixels for each of its own.

    Text is set in DejaVu Sans, which comes along, so it shows and looks the same on machines
    without any font; fonts of the system are used only for scripts DejaVu has no glyphs for.

    Raises ValueError when `svg` is not SVG.
    """
    import matplotlib
    import resvg_py

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        skip_system_fonts=not needs_system_fonts(svg),
        font_files=[str(fonts / f"DejaVuSans{face}.ttf") for face in ("", "-Bold")],
        font_family=_FONT,
        sans_serif_family=_FONT,
    )
