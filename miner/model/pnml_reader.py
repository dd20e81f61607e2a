"""PNML, the exchange format of Petri nets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from miner.errors import ModelError
from miner.model.process_model import ProcessModel
from miner.model.translation import Remark, Translation
from miner.model.workflow_net import Arc, Marking, Transition, WorkflowNet
from miner.model.xml_reader import local_name, parse_xml

_SILENT_NAME = re.compile(r"(tau|τ)( from tree)?[ _\-]?(\w?\d+)?", re.IGNORECASE)
_MOST_TOKENS = 1000


def read_pnml(text: str, *, name: str = "model", version: str | None = None) -> Translation:
    """The net of a PNML document: places, transitions, arcs with weights, and both markings.

    Transitions are silent when they are marked as invisible the way ProM and pm4py do, when they
    have no name, or by a name such as `tau 3`, with one remark for the latter. Without an initial
    marking a case starts in the only place that nothing leads to, without a final one it ends in
    the only place that nothing follows, each with a remark. Ids are kept, and are the elements.

    Raises ModelError for a document that is no PNML, has an id twice, an arc that leads nowhere or
    between two places, a special arc, coloured tokens, or no start or end that can be told.

    Source: ISO/IEC 15909-2:2011; www.promtools.org for silent transitions and final markings.
    """
    root = parse_xml(text, "PNML")
    nets = [element for element in root if local_name(element) == "net"]
    if local_name(root) != "pnml" or not nets:
        raise ModelError(
            f"The document is not PNML: its outermost element is <{local_name(root)}>.",
            hint="It has to be <pnml> with a <net>.",
        )
    reader = _Reader(nets[0])
    for other in nets[1:]:
        reader.remark(other, "Only the first net of the document is read.")
    model = ProcessModel(name, reader.net(), "pnml", text, None, version)
    return Translation(model, tuple(reader.remarks))


class _Reader:
    def __init__(self, root: Any) -> None:
        self._root = root
        self.remarks: list[Remark] = []
        self._places: dict[str, Any] = {}
        self._transitions: dict[str, Any] = {}
        self._arcs: list[Any] = []
        kept: dict[str, dict[str, Any]] = {
            "place": self._places,
            "transition": self._transitions,
        }
        for element in root.iter():
            kind = local_name(element)
            if kind in kept and not element.get("idref"):
                self._check_id(element)
                kept[kind][element.get("id")] = element
            elif kind == "arc":
                self._arcs.append(element)
            elif kind in ("referencePlace", "referenceTransition"):
                raise ModelError(
                    f"The {kind} {element.get('id')!r} in line {element.sourceline} joins pages, "
                    "which is not read.",
                    hint="Export the net on one page.",
                )

    def remark(self, element: Any, text: str) -> None:
        self.remarks.append(Remark(element.get("id"), local_name(element), text))

    def net(self) -> WorkflowNet:
        if not self._transitions or not self._places:
            raise ModelError("The net has no places or no transitions.", hint="Export it again.")
        arcs = self._all_arcs()
        initial = self._initial(arcs)
        return WorkflowNet(
            tuple(self._places),
            tuple(Transition(t, self._label(e), t) for t, e in self._transitions.items()),
            tuple(arcs),
            initial,
            self._final(arcs),
        )

    def _check_id(self, element: Any) -> None:
        name = element.get("id")
        if not name or name in self._places or name in self._transitions:
            problem = f"has the id {name!r} of another element" if name else "has no id"
            raise ModelError(
                f"The {local_name(element)} in line {element.sourceline} {problem}.",
                hint="Give every place and transition an id of its own.",
            )

    def _label(self, element: Any) -> str | None:
        name = _text(element, "name")
        for tool in element:
            if local_name(tool) == "toolspecific" and tool.get("activity") == "$invisible$":
                return None
        if not name:
            return None
        if name == "$invisible$":
            return None
        if _SILENT_NAME.fullmatch(name.strip()):
            said = f"{name!r} is taken as the name of a silent step."
            self.remark(element, said)
            return None
        return name

    def _all_arcs(self) -> list[Arc]:
        weights: Counter[tuple[str, str]] = Counter()
        for element in self._arcs:
            ends = element.get("source"), element.get("target")
            self._check_arc(element, ends)
            weights[ends] += self._number(element, "inscription", 1)
        return [Arc(*ends, weight) for ends, weight in weights.items()]

    def _check_arc(self, element: Any, ends: tuple[Any, Any]) -> None:
        where = f"The arc {element.get('id')!r} in line {element.sourceline}"
        for end in ends:
            if end not in self._places and end not in self._transitions:
                raise ModelError(
                    f"{where} leads from or to {end!r}, which does not exist.",
                    hint="Remove the arc, or draw it again.",
                )
        if (ends[0] in self._places) == (ends[1] in self._places):
            raise ModelError(
                f"{where} connects two places or two transitions.",
                hint="Arcs lead from a place to a transition or back.",
            )
        kind = _text(element, "arctype") or _text(element, "type") or "normal"
        kind = next((c.get("value") for c in element if local_name(c) == "type"), None) or kind
        if kind.lower() not in ("normal", "standard"):
            raise ModelError(
                f"{where} is of the type {kind!r}.",
                hint="Only ordinary arcs with weights are read.",
            )

    def _number(self, element: Any, child: str, default: int) -> int:
        text = _text(element, child)
        if not text:
            return default
        last = text.rpartition(",")[2].strip()  # PIPE writes "Default,1"
        if not last.isdecimal() or not 0 < int(last) <= _MOST_TOKENS:
            if child == "initialMarking" and last.isdecimal() and not int(last):
                return 0
            raise ModelError(
                f"The {child} {text!r} of {element.get('id')!r} in line {element.sourceline} is no "
                f"number from 1 to {_MOST_TOKENS}.",
                hint="Nets with coloured tokens cannot be read.",
            )
        return int(last)

    def _initial(self, arcs: list[Arc]) -> Marking:
        tokens = {p: self._number(e, "initialMarking", 0) for p, e in self._places.items()}
        found = _marking(tokens)
        entered = {arc.target for arc in arcs}
        return found or self._only([p for p in self._places if p not in entered], "initial")

    def _final(self, arcs: list[Arc]) -> Marking:
        markings = [
            m for found in _all(self._root, "finalmarkings") for m in _all(found, "marking")
        ]
        known = [marking for marking in map(self._marking_of, markings) if marking]
        if not known:
            left = {arc.source for arc in arcs}
            return self._only([p for p in self._places if p not in left], "final")
        for _ in known[1:]:
            self.remarks.append(
                Remark(None, "finalmarkings", "Only the first final marking is read.")
            )
        return known[0]

    def _marking_of(self, marking: Any) -> Marking:
        tokens: dict[str, int] = {}
        for element in _all(marking, "place"):
            name = element.get("idref")
            if name not in self._places:
                raise ModelError(
                    f"The final marking in line {element.sourceline} names the place {name!r}, "
                    "which does not exist.",
                    hint="Export the net again.",
                )
            text = (_text(element, "") or "0").strip()
            tokens[name] = int(text) if text.isdecimal() else 0
        return _marking({place: tokens.get(place, 0) for place in self._places})

    def _only(self, places: list[str], which: str) -> Marking:
        if len(places) != 1:
            ends = "that nothing leads to" if which == "initial" else "that nothing follows"
            raise ModelError(
                f"The net has no {which} marking, and {len(places)} places {ends}.",
                hint=f"Say in the file which the {which} marking is.",
            )
        text = f"There is no {which} marking; it is one token in the place {places[0]!r}."
        self.remarks.append(Remark(places[0], "place", text))
        return ((places[0], 1),)


def _marking(tokens: Mapping[str, int]) -> Marking:
    return tuple((place, count) for place, count in tokens.items() if count)


def _all(element: Any, kind: str) -> list[Any]:
    return [child for child in element.iter() if local_name(child) == kind]


def _text(element: Any, kind: str) -> str:
    """The text of a child `kind`, or of the element itself when `kind` is empty."""
    for holder in [element] if not kind else [c for c in element if local_name(c) == kind]:
        for child in holder:
            if local_name(child) in ("text", "value"):
                return str(child.text or "")
    return ""
