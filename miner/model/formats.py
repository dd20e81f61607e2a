"""A model as a file: BPMN, PNML, SVG, PNG, HTML or JSON."""

from __future__ import annotations

from html import escape

from miner.errors import UnknownNameError
from miner.model.process_model import ProcessModel, to_json

ENDINGS = (".bpmn", ".pnml", ".svg", ".png", ".html", ".json")


def as_format(model: ProcessModel, ending: str) -> str | bytes:
    """The model in the format of a file ending; raises UnknownNameError for another ending."""
    from miner.model.bpmn_writer import to_bpmn
    from miner.model.picture import model_svg
    from miner.model.pnml import to_pnml

    if ending == ".bpmn":
        return to_bpmn(model)
    if ending == ".pnml":
        return to_pnml(model)
    if ending == ".json":
        return to_json(model)
    if ending not in ENDINGS:
        raise UnknownNameError("format", ending, ENDINGS)
    drawn = model_svg(model)
    if ending == ".png":
        from miner.drawing.process_map import map_png

        return map_png(drawn)
    return drawn if ending == ".svg" else _PAGE.format(title=escape(model.name), svg=drawn)


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 1rem; font-family: sans-serif; }} svg {{ max-width: 100%; }}</style></head>
<body><h1>{title}</h1>{svg}</body>
</html>
"""
