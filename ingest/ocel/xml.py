"""Object-centric logs in XML: OCEL 2.0 and 1.0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.ocel.tables import OcelTables
from ingest.xes.json import scalar
from ingest.xes.xml import MAX_DEPTH, XmlTarget, local_name, parse, wrong_root
from miner.errors import LogFormatError

RECORD_DEPTH = 3
"""log > events > event"""
KINDS = {"integer": "int", "float": "float", "boolean": "boolean"}


def read_xml(path: Path, tables: OcelTables) -> None:
    """Read the log into `tables`, as a stream; see `parse` for what is refused."""
    elements = OcelElements(tables)
    parse(path, elements)


@dataclass
class Element:
    """An element below an event, an object or a type."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, *path: str) -> Iterator[Element]:
        """The elements at `path` below this one."""
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:]) if path[1:] else [child]

    def keyed(self) -> dict[str, Any]:
        """In version 1.0, the values of the elements below this one by their keys."""
        return {
            child.attributes.get("key", ""): scalar(child.name, child.attributes.get("value"))
            for child in self.children
            if child.name != "list"
        }

    def listed(self, key: str) -> Element:
        """In version 1.0, the list below this element with that key."""
        lists = (child for child in self.all("list") if child.attributes.get("key") == key)
        return next(lists, Element("list", {}))


class OcelElements(XmlTarget):
    """Hands every event, object and type to the tables when it ends."""

    def __init__(self, tables: OcelTables) -> None:
        self._tables = tables
        self._section = ""
        self._stack: list[Element] = []
        self._kinds: dict[tuple[str, str, str], str] = {}
        self._declared: dict[str, set[str]] = {"event-type": set(), "object-type": set()}
        self._read: dict[tuple[str, str], Callable[[Element], None]] = {
            ("events", "event"): self._event,
            ("objects", "object"): self._object,
            ("event-types", "event-type"): self._type,
            ("object-types", "object-type"): self._type,
        }

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self.depth += 1
        name = local_name(tag)
        if self.depth == 1 and name != "log":
            hint = "Check the format; XES files are loaded with `load xes`."
            raise wrong_root(self.path, name, "an OCEL file", hint)
        if self.depth > MAX_DEPTH:
            raise LogFormatError(
                f"{self.path} nests elements more than {MAX_DEPTH} deep.",
                hint="No event log does: the file is damaged or meant to do harm.",
            )
        if self.depth == RECORD_DEPTH - 1:
            self._section = name
            if name == "trace":
                raise LogFormatError(
                    f"{self.path} has traces: it is XES, not OCEL.", hint="Use `load xes`."
                )
        elif self.depth >= RECORD_DEPTH:
            element = Element(name, dict(attributes))
            if self._stack:
                self._stack[-1].children.append(element)
            self._stack.append(element)

    def data(self, text: str) -> None:
        """Text within an element."""
        if self._stack:
            self._stack[-1].text += text

    def end(self, tag: str) -> None:
        """An element ends."""
        if self.depth >= RECORD_DEPTH:
            element = self._stack.pop()
            if self.depth == RECORD_DEPTH:
                self.seen += 1
                reader = self._read.get((self._section, element.name))
                if reader:
                    reader(element)
        self.depth -= 1

    def _type(self, element: Element) -> None:
        name = element.attributes.get("name", "")
        self._declared[element.name].add(name)
        for attribute in element.all("attributes", "attribute"):
            key = (element.name, name, attribute.attributes.get("name", ""))
            self._kinds[key] = KINDS.get(attribute.attributes.get("type", ""), "string")

    def _event(self, element: Element) -> None:
        given = element.attributes
        if not given and element.children:
            own = element.keyed()
            objects = [child.attributes.get("value") for child in element.listed("omap").children]
            self._tables.add_event(
                own.get("id"),
                own.get("activity"),
                own.get("timestamp"),
                element.listed("vmap").keyed(),
                [(object_id, None) for object_id in objects],
            )
            return
        activity = given.get("type")
        self._note_undeclared("event-type", activity)
        self._tables.add_event(
            given.get("id"),
            activity,
            given.get("time"),
            {name: value for name, _, value in self._values(element, "event-type", activity)},
            [
                (related.attributes.get("object-id"), related.attributes.get("qualifier"))
                for name in ("relationship", "object")
                for related in element.all("objects", name)
            ],
        )

    def _object(self, element: Element) -> None:
        given = element.attributes
        if not given and element.children:
            own = element.keyed()
            self._tables.add_object(own.get("id"), own.get("type"))
            for name, value in element.listed("ovmap").keyed().items():
                self._tables.add_value(own.get("id"), name, None, value)
            return
        object_type = given.get("type")
        self._note_undeclared("object-type", object_type)
        self._tables.add_object(given.get("id"), object_type)
        for name, since, value in self._values(element, "object-type", object_type):
            self._tables.add_value(given.get("id"), name, since, value)

    def _values(
        self, element: Element, of: str, type_name: str | None
    ) -> Iterator[tuple[str, str | None, Any]]:
        for attribute in element.all("attributes", "attribute"):
            name = attribute.attributes.get("name", "")
            kind = self._kinds.get((of, type_name or "", name), "string")
            yield name, attribute.attributes.get("time"), scalar(kind, attribute.text)

    def _note_undeclared(self, of: str, name: str | None) -> None:
        if name is not None and name not in self._declared[of]:
            self._tables.undeclared.add(name)
