"""BPMN files drawn by their own places, and with what deviates from them."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree.ElementTree import fromstring

import polars as pl
import pytest

from miner.drawing.palette import contrast
from miner.errors import ModelError
from miner.model.bpmn_diagram import BpmnDiagram, Shape, bpmn_diagram, of_diagram, renamed
from miner.model.bpmn_shapes import colours_of
from miner.model.deviation_picture import PLACED_DEVIATIONS, SIGNS, deviation_picture
from miner.model.model_diagram import model_diagram
from miner.model.process_model import model_of_tree
from miner.model.process_tree import Operator, activity, tree

SAMPLES = sorted((Path(__file__).parents[2] / "sample_logs").glob("*.bpmn"))
ORDERS = next(path for path in SAMPLES if path.stem == "order_to_cash").read_text("utf-8")
NESTED = """<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d">
  <process id="p">
    <startEvent id="s"/><subProcess id="sub" name="Ship">
      <startEvent id="is"/><task id="pack" name="Pack"/><endEvent id="ie"/>
      <sequenceFlow id="i1" sourceRef="is" targetRef="pack"/>
      <sequenceFlow id="i2" sourceRef="pack" targetRef="ie"/>
    </subProcess>
    <boundaryEvent id="late" attachedToRef="sub" cancelActivity="false">
      <timerEventDefinition/></boundaryEvent>
    <task id="warn" name="Warn"/><endEvent id="e"/><endEvent id="w"/>
    <sequenceFlow id="1" sourceRef="s" targetRef="sub"/>
    <sequenceFlow id="2" sourceRef="sub" targetRef="e" name="done"/>
    <sequenceFlow id="3" sourceRef="late" targetRef="warn"/>
    <sequenceFlow id="4" sourceRef="warn" targetRef="w"/>
  </process>%s
</definitions>
"""
PLACES = "".join(
    f'<bpmndi:BPMNShape bpmnElement="{name}"><dc:Bounds x="{100 * n}" y="{n}" width="80" '
    'height="60"/></bpmndi:BPMNShape>'
    for n, name in enumerate(("s", "sub", "late", "warn", "e", "w"))
)
CLOSED = f"""
<bpmndi:BPMNDiagram xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI"
  xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"><bpmndi:BPMNPlane bpmnElement="p">{PLACES}
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>"""


def named(drawn: BpmnDiagram, name: str) -> Shape:
    return next(shape for shape in drawn.shapes if shape.id == name)


def placed(*rows: tuple[str, str, str | None, str | None, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=PLACED_DEVIATIONS, orient="row")


def badges(stage: str) -> dict[tuple[str, str], str]:
    """The text on each badge, by kind and shape."""
    found = {}
    for group in fromstring(stage).iter("{http://www.w3.org/2000/svg}g"):
        if "data-deviation" in group.attrib:
            text = group.find("{http://www.w3.org/2000/svg}text")
            assert text is not None
            found[group.attrib["data-deviation"], group.attrib["data-at"]] = text.text or ""
    return found


def test_shapes_keep_the_places_and_sizes_that_the_file_gives_them() -> None:
    drawn = bpmn_diagram(ORDERS)
    assert drawn.drawn_by == "file"
    receive, stock = named(drawn, "receive"), named(drawn, "stock")
    assert (receive.width, receive.height, receive.kind) == (100, 80, "serviceTask")
    assert (stock.x - receive.x, stock.y - receive.y) == (150, 0)
    flow = next(line for line in drawn.lines if line.id == "flow_16")
    assert (flow.name, len(flow.points)) == ("no", 3)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("with_places", [True, False])
def test_samples_are_drawn_whole_with_and_without_places(path: Path, with_places: bool) -> None:
    text = path.read_text("utf-8")
    if not with_places:
        text = re.sub(r"<bpmndi:BPMNDiagram.*</bpmndi:BPMNDiagram>", "", text, flags=re.DOTALL)
    drawn = bpmn_diagram(text)
    assert drawn.drawn_by == ("file" if with_places else "layout")
    assert len(drawn.lines) == text.count("<sequenceFlow ")
    for shape in drawn.shapes:
        assert 0 <= shape.x <= drawn.width - shape.width
        assert 0 <= shape.y <= drawn.height - shape.height
    plain = [shape for shape in drawn.shapes if not shape.expanded]
    for one, other in combinations(plain, 2):
        apart = (
            one.x + one.width <= other.x or other.x + other.width <= one.x
            or one.y + one.height <= other.y or other.y + other.height <= one.y
        )  # fmt: skip
        assert apart or "boundaryEvent" in (one.kind, other.kind), (one.id, other.id)


def test_without_places_what_is_inside_lies_inside_and_boundary_events_on_the_edge() -> None:
    drawn = bpmn_diagram(NESTED % "")
    around, pack, late = (named(drawn, name) for name in ("sub", "pack", "late"))
    assert around.expanded
    assert around.x < pack.x < pack.x + pack.width < around.x + around.width
    assert around.y < pack.y < pack.y + pack.height < around.y + around.height
    assert late.centre[1] == around.y + around.height
    assert (late.trigger, late.interrupting) == ("timer", False)
    assert next(line.name for line in drawn.lines if line.id == "2") == "done"


def test_a_deviation_inside_a_closed_sub_process_shows_at_it() -> None:
    drawn = bpmn_diagram(NESTED % CLOSED)
    assert drawn.drawn_by == "file"
    assert not named(drawn, "sub").expanded
    found = deviation_picture(drawn, placed(("skipped", "Pack", "pack", "Pack", 3)))
    assert badges(found.stage) == {("skipped", "sub"): "− 3"}


@pytest.mark.parametrize("x", ["nan", "inf", "1e300", "", "left"])
def test_places_that_cannot_be_are_as_if_they_were_not_there(x: str) -> None:
    assert bpmn_diagram(ORDERS.replace('x="210"', f'x="{x}"')).drawn_by == "layout"


def test_each_kind_has_a_badge_with_its_sign_where_it_belongs() -> None:
    found = deviation_picture(
        bpmn_diagram(ORDERS),
        placed(
            ("skipped", "Approve order", "approve", "Approve order", 60),
            ("extra", "Call customer", None, "Approve order", 28),
            ("extra", "Greet customer", None, "Approve order", 2),
            ("extra", "Dream", None, None, 1),
            ("swapped", "Check stock", "stock", "Check stock", 1_538),
            ("repeated", "Pack goods", None, "Pack goods", 7),
            ("replaced", "Guess", "credit", "Check credit", 4),
        ),
    )
    assert badges(found.stage) == {
        ("skipped", "approve"): "− 60",
        ("extra", "approve"): "+ 30",
        ("extra", "start"): "+ 1",
        ("swapped", "stock"): "⇄ 1,538",
        ("repeated", "pack"): "↻ 7",
        ("replaced", "credit"): "≠ 4",
    }
    assert "Call customer: 28 cases" in found.stage
    assert found.extent == "deviations at 5 places"
    for sign in SIGNS.values():
        assert f">{sign}<" in found.legend
    assert found.stage.count("stroke-dasharray") == 1  # the one that was skipped


def test_what_has_no_place_is_said_in_the_legend_and_not_lost() -> None:
    found = deviation_picture(bpmn_diagram(ORDERS), placed(("skipped", "X", "gone", "Gone", 1)))
    assert badges(found.stage) == {}
    assert "1 without a place on the picture" in found.legend


def test_a_model_that_was_never_drawn_shows_deviations_by_name() -> None:
    model = model_of_tree("m", tree(Operator.SEQUENCE, activity("A"), activity("B")))
    drawn = of_diagram(model_diagram(model))
    found = deviation_picture(drawn, placed(("skipped", "B", None, "B", 2)))
    ((_, place),) = badges(found.stage)
    assert named(drawn, place).name == "B"


def test_tasks_can_have_the_names_of_the_log() -> None:
    drawn = renamed(bpmn_diagram(ORDERS), {"Check stock": "CHK_STOCK", "Approved?": "no task"})
    assert named(drawn, "stock").name == "CHK_STOCK"
    assert named(drawn, "approved").name == "Approved?"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_badges_can_be_read_and_tell_apart_without_colour(theme: str) -> None:
    colours = colours_of("dark" if theme == "dark" else "light")
    for fill in colours.kinds.values():
        assert contrast(fill, colours.ink) >= 4.5
        assert contrast(fill, colours.ground) >= 3
    assert len(set(SIGNS.values())) == len(SIGNS) == len(colours.kinds)


def test_names_that_try_something_stay_names() -> None:
    text = ORDERS.replace('"Check stock"', '"&lt;script>alert(1)&lt;/script>"')
    bad = "<img src=x onerror=alert(1)>"
    found = deviation_picture(bpmn_diagram(text), placed(("extra", bad, None, None, 1)), name=bad)
    for svg in (found.stage, found.legend):
        fromstring(svg)
        assert "<script" not in svg
        assert "<img" not in svg


def test_what_is_no_bpmn_is_refused() -> None:
    with pytest.raises(ModelError, match="not BPMN"):
        bpmn_diagram("<html/>")
