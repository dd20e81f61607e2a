"""Definitions of engines as plain values that know where they stand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn

from miner.errors import ModelError

DEEPEST = 40
"""How deep blocks of a definition may lie in one another."""
_LONGEST_NAME = 1000


@dataclass(frozen=True)
class Part:
    """A value of a definition, and the way to it from the top, for messages."""

    value: Any
    where: str = ""

    def fields(self) -> dict[str, Part]:
        """The fields of an object by name; raises ModelError when this is none."""
        if not isinstance(self.value, dict):
            self.refuse(f"has to be an object, not {_shown(self.value)}")
        return {self._name(key): Part(item, self._at(key)) for key, item in self.value.items()}

    def items(self) -> list[Part]:
        """The items of a list; raises ModelError when this is none."""
        if not isinstance(self.value, list):
            self.refuse(f"has to be a list, not {_shown(self.value)}")
        return [Part(item, f"{self.where}[{n}]") for n, item in enumerate(self.value)]

    def text(self) -> str:
        """The text that this is, not empty; raises ModelError when this is none."""
        if not isinstance(self.value, str):
            self.refuse(f"has to be text, not {_shown(self.value)}")
        return self._name(self.value)

    def get(self, key: str) -> Part | None:
        """The field `key`; null where it is missing or null."""
        found = self.fields().get(key)
        return None if found is None or found.value is None else found

    def need(self, key: str) -> Part:
        """The field `key`; raises ModelError where it is missing or null."""
        found = self.get(key)
        if found is None:
            self.refuse(f"has no {key}")
        return found

    def list_of(self, key: str) -> list[Part]:
        """The items of the field `key`; none where it is missing or null."""
        found = self.get(key)
        return [] if found is None else found.items()

    def single(self) -> tuple[str, Part]:
        """Name and value of the only field; raises ModelError when there is not exactly one."""
        fields = list(self.fields().items())
        if len(fields) != 1:
            self.refuse(f"has to have exactly one name, not {len(fields)}")
        return fields[0]

    def named(self, name: str) -> str:
        """`name`, if it is the name of one of the fields; else raises ModelError."""
        if name not in self.fields():
            self.refuse(f"has nothing named {name!r}")
        return name

    def refuse(self, problem: str, hint: str = "Correct the definition.") -> NoReturn:
        """Raise ModelError: here `problem`."""
        raise ModelError(f"{self.where or 'The definition'} {problem}.", hint=hint)

    def _at(self, key: object) -> str:
        return f"{self.where}.{key}" if self.where else str(key)

    def _name(self, key: object) -> str:
        if not isinstance(key, str):
            self.refuse(f"has a name that is no text: {_shown(key)}")
        if not key.strip() or len(key) > _LONGEST_NAME:
            self.refuse(f"has a name that is empty or longer than {_LONGEST_NAME} letters")
        if any("\ud800" <= letter <= "\udfff" for letter in key):
            self.refuse("has a name with half a letter (a lone surrogate)")
        return key


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text.encode("utf-8", "replace").decode()[:60]


def json_part(text: str, language: str) -> Part:
    """The object that a text in JSON is.

    Raises ModelError when it is no JSON, no object, nested too deep, or names a field twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ModelError(f"The {language} is nested too deep.", hint=_SMALLER) from None
    except _TwiceError as error:
        raise ModelError(
            f"The {language} has two fields named {str(error)!r} in one object.",
            hint="Give each its own name.",
        ) from None
    except ValueError as error:
        raise ModelError(
            f"The {language} is no JSON: {error}.", hint="Check that the whole file was given."
        ) from error
    part = Part(found)
    part.fields()
    return part


def yaml_part(text: str, language: str) -> Part:
    """What a text in YAML (or JSON) says.

    Raises ModelError when it is no YAML, nested too deep, names a field twice, has tags, or has
    anchors and aliases, with which a small text can stand for a huge one.
    """
    import yaml

    try:
        _check_yaml(text, language)
        found = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        at = " ".join(str(error).split())[:200]
        raise ModelError(
            f"The {language} is no YAML: {at}.", hint="Check that the whole file was given."
        ) from error
    return Part(found)


_SMALLER = "Split the definition into smaller ones."


class _TwiceError(Exception):
    """A name that occurs twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _TwiceError(twice.encode("utf-8", "replace").decode())
    return found


def _check_yaml(text: str, language: str) -> None:
    """Look at the parts of a text before anything is built of it."""
    import yaml

    open_: list[tuple[set[str] | None, list[bool]]] = []
    for event in yaml.parse(text, yaml.CSafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ModelError(
                f"Line {line} of the {language} has an anchor or alias, which are not read.",
                hint="Write out what the alias stands for.",
            )
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_.pop()
            continue
        if getattr(event, "tag", None) is not None:
            raise ModelError(
                f"Line {line} of the {language} has the tag {event.tag[:60]!r}, which is not read.",
                hint="Write the value without a tag.",
            )
        if isinstance(event, yaml.NodeEvent):
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if not _placed(open_, name):
                raise ModelError(
                    f"Line {line} of the {language} names {name!r} twice in one object.",
                    hint="Give each its own name.",
                )
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((set() if isinstance(event, yaml.MappingStartEvent) else None, [True]))
        if len(open_) > 6 * DEEPEST:
            raise ModelError(f"The {language} is nested too deep.", hint=_SMALLER)


def _placed(open_: list[tuple[set[str] | None, list[bool]]], name: str | None) -> bool:
    """Whether a value may stand where it stands: no name may occur twice in one object."""
    names, is_name = open_[-1] if open_ else (None, [False])
    if names is None:
        return True
    expected, is_name[0] = is_name[0], not is_name[0]
    if not expected or name is None:
        return True
    fresh = name not in names
    names.add(name)
    return fresh
