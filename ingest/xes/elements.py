"""The elements of a XES file as flat lists: no tree, no memory of what was handed on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.xes.json import nested_json
from ingest.xes.xml import MAX_DEPTH, XmlTarget, local_name, wrong_root
from miner.errors import LogFormatError

ATTRIBUTES = frozenset({"string", "date", "int", "float", "boolean", "id", "list", "container"})
PREFIXES = {"concept", "lifecycle", "org", "time", "identity"}
MAX_OWNERS = 50_000
MAX_ATTRIBUTES = 200_000
MAX_BYTES = 1 << 25
"""How much of the file a batch may stand for; this and the two above bound the memory it takes."""

EVENT, TRACE = "event", "trace"
LOG_DEPTH = 1


@dataclass
class Header:
    """What a XES file says about its keys before its first trace."""

    prefixes: dict[str, str] = field(default_factory=dict)
    """What the file calls the prefix of a standard extension, by its usual prefix."""
    classifiers: dict[str, list[str]] = field(default_factory=dict)

    def add(self, tag: str, attributes: dict[str, str]) -> None:
        """Take an element of the log that is neither a trace nor an event."""
        if tag == "extension":
            uri = re.search(r"xes-standard\.org/(\w+)\.xesext$", attributes.get("uri", ""))
            if uri and uri[1] in PREFIXES and attributes.get("prefix"):
                self.prefixes[uri[1]] = attributes["prefix"]
        elif tag == "classifier":
            keys = re.findall(r"'([^']*)'|(\S+)", attributes.get("keys", ""))
            self.classifiers[attributes.get("name", "")] = [a or b for a, b in keys]

    def key(self, standard: str) -> str:
        """What the file calls `standard`, a key such as `concept:name`."""
        prefix, _, name = standard.partition(":")
        return f"{self.prefixes.get(prefix, prefix)}:{name}"


@dataclass
class Rows:
    """Events or traces in the order of the file, with all of their attributes in one flat list."""

    first: int = 0
    """The running number of the first one."""
    first_byte: int = 0
    """How much of the file was read when it began."""
    flat: list[str | None] = field(default_factory=list)
    """Kind, key, value; kind, key, value; … An attribute with attributes of its own is there twice:
    as `nested` with its value, and as `json` with everything."""
    ends: list[int] = field(default_factory=list)
    """Where in `flat` the attributes of each one end."""
    traces: list[int | None] = field(default_factory=list)
    """For events: the running number of their trace, null outside of one."""

    def full(self, read: int) -> bool:
        """Whether it is time to hand them on, with so many bytes of the file read."""
        return (
            len(self.ends) >= MAX_OWNERS
            or len(self.flat) >= 3 * MAX_ATTRIBUTES
            or read - self.first_byte >= MAX_BYTES
        )


class XesElements(XmlTarget):
    """Collects events and traces and hands them on in batches, of bounded size and in order."""

    def __init__(self, deliver: Callable[[str, Rows], None]) -> None:
        self.header = Header()
        self.traces = 0
        self.empty_traces = 0
        self.unknown: set[str] = set()
        """Names of elements that stand for attributes but that the standard does not know."""
        self._deliver = deliver
        self._rows = {EVENT: Rows(), TRACE: Rows()}
        self._flat: list[str | None] = []
        self._level = 0  # the depth of the attributes being collected; 0: none are
        self._kinds: dict[str, str] = {}
        self._owners: list[str] = []
        self._events_before = 0
        self._nest: list[list[object]] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        depth = self.depth = self.depth + 1
        if depth == self._level and (kind := self._kinds.get(tag)):
            self._flat += (kind, attributes.get("key"), attributes.get("value"))
        else:
            self._other(tag, attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        depth = self.depth
        self.depth = depth - 1
        if depth >= self._level:
            if self._nest:
                self._end_nested(depth)
        else:
            self._end_owner()

    def finish(self) -> None:
        """Hand on what is left."""
        self._hand_on(EVENT)
        self._hand_on(TRACE)

    def _other(self, tag: str, attributes: dict[str, str]) -> None:
        """Everything but a plain attribute of a kind that was met before."""
        name = local_name(tag)
        if self.depth == LOG_DEPTH:
            if name != "log":
                hint = "Check the format; object-centric logs are loaded with `load ocel`."
                raise wrong_root(self.path, name, "a XES file", hint)
        elif self.depth > MAX_DEPTH:
            raise LogFormatError(
                f"{self.path} nests elements more than {MAX_DEPTH} deep.",
                hint="No event log does: the file is damaged or meant to do harm.",
            )
        elif name in (EVENT, TRACE):
            self._start_owner(name)
        elif self._level == 0:
            if self.depth == LOG_DEPTH + 1:
                self._add_to_header(name, attributes)
        elif self.depth == self._level:
            self._kinds[tag] = name
            if name not in ATTRIBUTES:
                self.unknown.add(name)
            self._flat += (name, attributes.get("key"), attributes.get("value"))
        else:
            self._start_nested(name, attributes)

    def _add_to_header(self, name: str, attributes: dict[str, str]) -> None:
        before = dict(self.header.prefixes)
        self.header.add(name, attributes)
        if self.seen and any(before.get(p, p) != q for p, q in self.header.prefixes.items()):
            raise LogFormatError(
                f"{self.path} renames the keys of {attributes.get('uri')} after its first trace.",
                hint="Extensions belong before the traces; export the file again.",
            )

    def _start_owner(self, name: str) -> None:
        inside = self._owners[-1] if self._owners else "log"
        if self.depth != LOG_DEPTH + 1 + len(self._owners) or inside in (EVENT, name):
            raise LogFormatError(
                f"{self.path} has a <{name}> inside of an <{inside}>.",
                hint="The file does not follow the XES standard; export it again.",
            )
        self._owners.append(name)
        self._level = self.depth + 1
        rows = self._rows[name]
        if name == TRACE:
            self._events_before = self._event_count()
        else:
            rows.traces.append(self.traces if inside == TRACE else None)
        self._flat = rows.flat

    def _end_owner(self) -> None:
        if not self._owners:
            return
        name = self._owners.pop()
        rows = self._rows[name]
        rows.ends.append(len(rows.flat))
        self.seen += 1
        self._level = self.depth + 1 if self._owners else 0
        if name == TRACE:
            self.traces += 1
            self.empty_traces += self._event_count() == self._events_before
        self._flat = self._rows[TRACE].flat
        if rows.full(self.read):
            self._hand_on(name)

    def _event_count(self) -> int:
        rows = self._rows[EVENT]
        return rows.first + len(rows.ends)

    def _hand_on(self, name: str) -> None:
        rows = self._rows[name]
        self._rows[name] = Rows(rows.first + len(rows.ends), self.read)
        self._flat = self._rows[TRACE].flat
        if rows.ends:
            self._deliver(name, rows)

    def _start_nested(self, name: str, attributes: dict[str, str]) -> None:
        if not self._nest:
            *_, kind, key, value = self._flat[-3:]
            self._nest.append([kind, key, value, []])
        node: list[object] = [name, attributes.get("key"), attributes.get("value"), []]
        children = self._nest[-1][3]
        assert isinstance(children, list)
        children.append(node)
        self._nest.append(node)

    def _end_nested(self, depth: int) -> None:
        node = self._nest.pop()
        if depth == self._level:
            self._flat[-3] = "nested"
            self._flat += ("json", self._flat[-2], nested_json(node))
