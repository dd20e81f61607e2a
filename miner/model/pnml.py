"""Process models as PNML."""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5
from xml.etree.ElementTree import Element, SubElement

from miner.drawing.layout import Box, Link, layout
from miner.model.process_model import ProcessModel
from miner.model.workflow_net import Marking, Transition, WorkflowNet
from miner.model.xml_text import allowed, document

_PLACE = (30.0, 30.0)
_TRANSITION = (100.0, 50.0)
_SILENT = (20.0, 50.0)
_NET_TYPE = "http://www.pnml.org/version-2009/grammar/pnmlcoremodel"


def to_pnml(model: ProcessModel) -> str:
    """The net of `model` as a PNML document, with positions and its final marking.

    Silent transitions and the final marking are marked the way ProM does, which pm4py reads too;
    the standard has no words for them. Names are kept as they are, save for characters that XML
    cannot hold. The same model gives the same document.

    Source: ISO/IEC 15909-2:2011; www.promtools.org for the two extensions.
    """
    net = model.net
    root = Element("pnml", {"xmlns": "http://www.pnml.org/version-2009/grammar/pnml"})
    element = SubElement(root, "net", {"id": "net1", "type": _NET_TYPE})
    _name(element, model.name)
    page = SubElement(element, "page", {"id": "page1"})
    shapes = _shapes(net)
    initial = dict(net.initial)
    for place in net.places:
        node = SubElement(page, "place", {"id": place})
        _name(node, place)
        _graphics(node, shapes[place])
        if place in initial:
            SubElement(SubElement(node, "initialMarking"), "text").text = str(initial[place])
    for transition in net.transitions:
        _transition(SubElement(page, "transition", {"id": transition.id}), transition, shapes)
    for number, arc in enumerate(net.arcs, 1):
        ends = {"id": f"arc{number}", "source": arc.source, "target": arc.target}
        inscription = SubElement(SubElement(page, "arc", ends), "inscription")
        SubElement(inscription, "text").text = str(arc.weight)
    _final(element, net.final)
    return document(root)


_Shape = tuple[Box, tuple[float, float]]


def _shapes(net: WorkflowNet) -> dict[str, _Shape]:
    boxes = [Box(place, *_PLACE, "event") for place in net.places]
    for transition in net.transitions:
        size = _SILENT if transition.label is None else _TRANSITION
        boxes.append(Box(transition.id, *size))
    placed = layout(boxes, [Link(arc.source, arc.target) for arc in net.arcs], direction="LR")
    return {box.id: (box, placed.centres[box.id]) for box in boxes}


def _transition(node: Element, transition: Transition, shapes: dict[str, _Shape]) -> None:
    _name(node, transition.id if transition.label is None else transition.label)
    _graphics(node, shapes[transition.id])
    if transition.label is None:
        attributes = {"tool": "ProM", "version": "6.4", "activity": "$invisible$"}
        attributes["localNodeID"] = str(uuid5(NAMESPACE_OID, transition.id))
        SubElement(node, "toolspecific", attributes)


def _name(node: Element, name: str) -> None:
    SubElement(SubElement(node, "name"), "text").text = allowed(name)


def _graphics(node: Element, shape: _Shape) -> None:
    box, (x, y) = shape
    graphics = SubElement(node, "graphics")
    SubElement(graphics, "position", {"x": f"{x:g}", "y": f"{y:g}"})
    SubElement(graphics, "dimension", {"x": f"{box.width:g}", "y": f"{box.height:g}"})


def _final(net: Element, final: Marking) -> None:
    marking = SubElement(SubElement(net, "finalmarkings"), "marking")
    for place, count in final:
        node = SubElement(marking, "place", {"idref": place})
        SubElement(node, "text").text = str(count)
