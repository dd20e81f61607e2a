"""The file of a mapping: its keys, checked, with the lines they are on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ingest.mapping.values import Settings, Value, value_of
from ingest.tables.time_zones import CHOICES, checked_zone
from miner.errors import InputError, UnknownNameError

VALUES = (
    "case", "activity", "timestamp", "start", "lifecycle", "resource", "resource_kind",
    "error_type", "error_message", "process", "process_version", "activity_id", "instance_id",
    "event_id", "attempt", "position", "version", "case_status", "parent_case_id", "root_case_id",
)  # fmt: skip
"""Keys whose values are fields or expressions, at the top or in an `[[event]]`."""
NEEDED = ("case", "activity", "timestamp")
TABLES = ("attributes", "case_attributes")
SETTINGS = ("timezone", "daylight_saving", "timestamp_format", "format")
EPOCHS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
CLOUD_EVENT = {
    "case": "subject",
    "activity": "type",
    "timestamp": "time",
    "event_id": "source || '#' || id",
}
"""What a CloudEvent means unless the mapping says otherwise."""

Place = tuple[str | int, ...]
Named = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Document:
    """A TOML file with the lines of its keys."""

    name: str
    content: Mapping[str, Any]
    lines: Mapping[Place, int]

    def line(self, *place: str | int) -> int:
        """The line of a key, or of the table it would be in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, text: str, hint: str = "") -> InputError:
        """An error about a key."""
        return InputError(f"{self.name}, line {self.line(*place)}: {text}", hint=hint)

    def unknown(self, place: Place, known: Sequence[str]) -> InputError:
        """An error about a key that does not exist, with the nearest one that does."""
        key = str(place[-1])
        near = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
        return self.problem(place, f"there is no key {key!r} here.", hint)

    def refuse_tables(self, besides: Sequence[str]) -> None:
        """InputError for a key at the top that means nothing; `besides` are tables of others."""
        known = (*VALUES, *TABLES, *SETTINGS, "event", "when", *besides)
        for key in self.content:
            if key not in known:
                raise self.unknown((key,), known)

    def settings(self) -> Settings:
        """How times are read and what records are."""
        given = {key: self.content[key] for key in SETTINGS if key in self.content}
        formats = given.get("timestamp_format", ())
        formats = (formats,) if isinstance(formats, str) else tuple(formats)
        for key in ("timezone", "daylight_saving", "format"):
            if key in given and not isinstance(given[key], str):
                raise self.problem((key,), f"{key} has to be a text.")
        settings = Settings(
            given.get("timezone"),
            given.get("daylight_saving", "reject"),
            formats,
            given.get("format"),
        )
        self._check_settings(settings)
        return settings

    def _check_settings(self, settings: Settings) -> None:
        try:
            checked_zone(settings.timezone)
        except UnknownNameError as error:
            raise self.problem(("timezone",), error.message, error.hint) from None
        if settings.daylight_saving not in CHOICES:
            raise self.problem(
                ("daylight_saving",),
                f"daylight_saving cannot be {settings.daylight_saving!r}.",
                f"Use {', '.join(CHOICES)}.",
            )
        if settings.format not in (None, "cloudevents"):
            raise self.problem(
                ("format",),
                f"format cannot be {settings.format!r}.",
                'Use "cloudevents", or leave it out.',
            )
        for each in settings.timestamp_format:
            if not isinstance(each, str) or (each not in (*EPOCHS, "iso") and "%" not in each):
                raise self.problem(
                    ("timestamp_format",),
                    f"timestamp_format cannot be {each!r}.",
                    f"Use iso, {', '.join(EPOCHS)}, or a pattern like '%d.%m.%Y %H:%M'.",
                )

    def rules(self) -> Iterator[tuple[Named, Named, Named, Value | None]]:
        """For each event a record may become: its values, two kinds of attributes, a condition."""
        shared = self._values(self.content, ())
        if self.content.get("format") == "cloudevents":
            defaults = {
                key: value_of(key, text, self.name, self.line("format"))
                for key, text in CLOUD_EVENT.items()
            }
            shared = {**defaults, **shared}
        attributes = [self._attributes(self.content, name, ()) for name in TABLES]
        tables = self.content.get("event", [{}])
        if not isinstance(tables, list) or not tables:
            raise self.problem(("event",), "event has to be written as [[event]].")
        for i, table in enumerate(tables):
            place: Place = ("event", i) if "event" in self.content else ()
            self._refuse_keys(table, place)
            own = self._values(table, place) if place else {}
            values = {**shared, **own}
            self._check_needed(values, place)
            if place and len(tables) > 1 and "event_id" in values and "event_id" not in own:
                values["event_id_shared"] = values.pop("event_id")
            both = [
                tuple({**common, **self._attributes(table, name, place)}.items())
                for common, name in zip(attributes, TABLES, strict=True)
            ]
            values.pop("when", None)
            when = self._when(shared.get("when"), own.get("when"))
            yield tuple(values.items()), both[0], both[1], when

    def _when(self, shared: Value | None, own: Value | None) -> Value | None:
        """The condition; one at the top holds for all events together with their own."""
        if shared is None or own is None:
            return own or shared
        return value_of("when", f"({shared.text}) and ({own.text})", self.name, own.line)

    def _values(self, table: Mapping[str, Any], place: Place) -> dict[str, Value]:
        return {
            key: value_of(key, table[key], self.name, self.line(*place, key))
            for key in (*VALUES, "when")
            if key in table
        }

    def _attributes(self, table: Mapping[str, Any], name: str, place: Place) -> dict[str, Value]:
        given = table.get(name, {})
        if not isinstance(given, dict):
            raise self.problem((*place, name), f"{name} has to be a table.", f"Write [{name}].")
        return {
            key: value_of(key, text, self.name, self.line(*place, name, key))
            for key, text in given.items()
        }

    def _refuse_keys(self, table: object, place: Place) -> None:
        if not isinstance(table, dict):
            raise self.problem(place, "event has to be written as [[event]].")
        known = (*VALUES, *TABLES, "when")
        for key in table:
            if key in SETTINGS:
                text = f"{key} holds for the whole mapping."
                raise self.problem((*place, key), text, "Put it before the first table.")
            if key not in known:
                raise self.unknown((*place, key), known)

    def _check_needed(self, values: Mapping[str, Value], place: Place) -> None:
        for key in NEEDED:
            if key not in values:
                near = get_close_matches(key, [k for k in self.content if k not in VALUES], n=1)
                raise self.problem(
                    place,
                    f"the mapping says nothing about {key}.",
                    f'Add {key} = "…", the field or expression that holds it.'
                    + (f" Is {near[0]!r} meant?" if near else ""),
                )


def read_document(path: str | Path) -> Document:
    """The document in a file; InputError if there is none or if it is no TOML."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The mapping {str(path)!r} cannot be read: {error.strerror}.", hint="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"The mapping {str(path)!r} is no UTF-8 text.") from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """The document in a text."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = re.search(r"\(at line (\d+), column (\d+)\)", said)
        if found:
            said = f"{said[: found.start()].strip()} at character {found[2]}"
        line = found[1] if found else str(text.count("\n") + 1)
        raise InputError(
            f"{name}, line {line}: this is no TOML: {said}.",
            hint='Values are texts in quotation marks: case = "order_id".',
        ) from None
    return Document(name, content, _lines_of(text))


def _lines_of(text: str) -> dict[Place, int]:
    """The line on which each key and table of a valid TOML text begins."""
    lines: dict[Place, int] = {}
    table: Place = ()
    counts: dict[Place, int] = {}
    quoted = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quoted:  # within a text of several lines
            quoted = "" if quoted in line else quoted
            continue
        if header := re.match(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$", line):
            table = _placed(_keys(header[2]), counts)
            if header[1] == "[[":
                count = counts.get(table, -1) + 1
                counts[table] = count
                lines.setdefault(table, number)
                table = (*table, count)
            lines.setdefault(table, number)
        elif found := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=(.*)$""", line):
            keys = _keys(found[1])
            for length in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:length]), number)
            opened = re.search("\"\"\"|'''", found[2])
            if opened and found[2].count(opened[0]) == 1:
                quoted = opened[0]
    return lines


def _placed(keys: Place, counts: Mapping[Place, int]) -> Place:
    """The keys of a header with the number of the table in each array of tables on the way."""
    place: Place = ()
    for i, key in enumerate(keys):
        place = (*place, key)
        if place in counts and i < len(keys) - 1:
            place = (*place, counts[place])
    return place


def _keys(text: str) -> Place:
    found = re.findall(r'"([^"]*)"|\'([^\']*)\'|([\w-]+)', text)
    return tuple(next(part for part in parts if part) for parts in found if any(parts))
