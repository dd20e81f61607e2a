"""Process models as BPMN 2.0."""

from __future__ import annotations

from xml.etree.ElementTree import Element as Xml
from xml.etree.ElementTree import SubElement

from miner.model.diagram import SIZES, Diagram, Element, Kind
from miner.model.model_diagram import model_diagram
from miner.model.process_model import ProcessModel
from miner.model.xml_text import allowed, document

_NAMESPACES = {
    "xmlns:bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "xmlns:bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "xmlns:dc": "http://www.omg.org/spec/DD/20100524/DC",
    "xmlns:di": "http://www.omg.org/spec/DD/20100524/DI",
}
_TAGS: dict[Kind, str] = {
    "start": "bpmn:startEvent",
    "end": "bpmn:endEvent",
    "task": "bpmn:task",
    "exclusive": "bpmn:exclusiveGateway",
    "parallel": "bpmn:parallelGateway",
    "inclusive": "bpmn:inclusiveGateway",
}


def to_bpmn(model: ProcessModel) -> str:
    """`model` as a BPMN 2.0 document with one process and its diagram.

    The process has the same complete traces as the model; `model_diagram` says how elements are
    chosen and placed. Names are kept as they are, save for characters that XML cannot hold. The
    same model gives the same document, ids included.

    Raises InputError for a net with an arc of a weight other than 1.

    Source: OMG, Business Process Model and Notation 2.0.2 (2014).
    """
    drawn = model_diagram(model)
    root = Xml(
        "bpmn:definitions",
        {
            **_NAMESPACES,
            "id": "Definitions_1",
            "targetNamespace": "http://bpmn.io/schema/bpmn",
            "exporter": "Procession",
        },
    )
    attributes = {"id": "Process_1", "name": allowed(model.name), "isExecutable": "false"}
    _process(SubElement(root, "bpmn:process", attributes), drawn)
    page = SubElement(root, "bpmndi:BPMNDiagram", {"id": "Diagram_1"})
    _plane(
        SubElement(page, "bpmndi:BPMNPlane", {"id": "Plane_1", "bpmnElement": "Process_1"}), drawn
    )
    return document(root)


def _process(process: Xml, drawn: Diagram) -> None:
    for element in drawn.elements:
        attributes = {"id": element.id}
        if element.name:
            attributes["name"] = allowed(element.name)
        node = SubElement(process, _TAGS[element.kind], attributes)
        incoming = [flow.id for flow in drawn.flows if flow.target == element.id]
        outgoing = [flow.id for flow in drawn.flows if flow.source == element.id]
        if len(incoming) > 1 or len(outgoing) > 1:
            node.set("gatewayDirection", _direction(len(incoming), len(outgoing)))
        for tag, ids in (("bpmn:incoming", incoming), ("bpmn:outgoing", outgoing)):
            for flow_id in ids:
                SubElement(node, tag).text = flow_id
    for flow in drawn.flows:
        ends = {"id": flow.id, "sourceRef": flow.source, "targetRef": flow.target}
        SubElement(process, "bpmn:sequenceFlow", ends)


def _direction(incoming: int, outgoing: int) -> str:
    if incoming > 1 and outgoing > 1:
        return "Mixed"
    return "Converging" if incoming > 1 else "Diverging"


def _plane(plane: Xml, drawn: Diagram) -> None:
    for element in drawn.elements:
        shape = SubElement(
            plane, "bpmndi:BPMNShape", {"id": f"{element.id}_di", "bpmnElement": element.id}
        )
        if element.kind == "exclusive":
            shape.set("isMarkerVisible", "true")
        SubElement(shape, "dc:Bounds", _bounds(element))
    for flow in drawn.flows:
        edge = SubElement(plane, "bpmndi:BPMNEdge", {"id": f"{flow.id}_di", "bpmnElement": flow.id})
        for x, y in flow.points:
            SubElement(edge, "di:waypoint", {"x": f"{x:g}", "y": f"{y:g}"})


def _bounds(element: Element) -> dict[str, str]:
    (x, y), (width, height) = element.corner, SIZES[element.kind]
    return {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
