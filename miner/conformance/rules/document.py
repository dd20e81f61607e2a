"""YAML files that people write: every value knows its line, and nothing in them is executed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from miner.errors import ModelError, UnknownNameError

LONGEST = 1_000_000
"""Characters of a file."""
DEEPEST = 12
"""Levels of a file: rules and contracts have five."""


@dataclass(frozen=True)
class Value:
    """One value of a file with the place it stands at: a text, a list or a mapping."""

    file: str
    key: str
    line: int
    content: str | tuple[Value, ...] | dict[str, Value] | None

    def error(self, message: str, *, hint: str = "") -> ModelError:
        """A ModelError that names this place."""
        return ModelError(f"{self.file}, line {self.line}: {message}", hint=hint)

    def text(self) -> str:
        """The text here; ModelError for a list, a mapping or nothing."""
        if not isinstance(self.content, str) or not self.content.strip():
            raise self.error(f"{self.key} is {self._kind()}.", hint="Give one text or number.")
        return self.content.strip()

    def whole(self, *, least: int = 0) -> int:
        """The whole number here."""
        text = self.text()
        if not text.isdecimal() or int(text) < least:
            raise self.error(f"{self.key} is {text!r}.", hint=f"Give a whole number from {least}.")
        return int(text)

    def one_of(self, words: Collection[str]) -> str:
        """The one of `words` that stands here."""
        text = self.text()
        if text not in words:
            problem = UnknownNameError(self.key, text, words)
            raise self.error(problem.message, hint=problem.hint)
        return text

    def texts(self) -> tuple[str, ...]:
        """The texts of a list, or the one text here; ModelError if one stands there twice."""
        found = tuple(each.text() for each in self.items()) if self.is_list else (self.text(),)
        if len(set(found)) < len(found):
            twice = next(text for text in found if found.count(text) > 1)
            raise self.error(f"{self.key} has {twice!r} twice.", hint="Name each once.")
        return found

    @property
    def is_list(self) -> bool:
        """Whether a list stands here."""
        return isinstance(self.content, tuple)

    @property
    def is_mapping(self) -> bool:
        """Whether a mapping stands here."""
        return isinstance(self.content, dict)

    def items(self) -> tuple[Value, ...]:
        """The values of the list here; ModelError if it is none or empty."""
        if not isinstance(self.content, tuple) or not self.content:
            raise self.error(f"{self.key} is {self._kind()}.", hint="Give a list of at least one.")
        return self.content

    def entries(self, known: Collection[str] | None = None) -> dict[str, Value]:
        """The mapping here; ModelError if it is none, or for a key that is not among `known`."""
        if not isinstance(self.content, dict):
            raise self.error(f"{self.key} is {self._kind()}.", hint="Give keys with values.")
        for key, value in self.content.items():
            if known is not None and key not in known:
                problem = UnknownNameError("key", key, known)
                raise value.error(problem.message, hint=problem.hint)
        return self.content

    def need(self, key: str) -> Value:
        """The value of a key that must be there."""
        found = self.entries().get(key)
        if found is None:
            raise self.error(f"{self.key} has no {key!r}.", hint=f"Add `{key}: …`.")
        return found

    def _kind(self) -> str:
        if self.content is None or self.content == "":
            return "empty"
        if isinstance(self.content, str):
            return f"the text {self.content!r}"
        return "a list" if self.is_list else "a mapping"


def document(text: str, file: str) -> Value:
    """The YAML document `text`; ModelError with the line for what is none.

    References, tags and keys that stand twice are refused: a file says what it shows.
    """
    import yaml

    if len(text) > LONGEST:
        raise ModelError(
            f"{file} has {len(text):,} characters.", hint=f"At most {LONGEST:,} are read."
        )
    try:
        _check_events(yaml.parse(text, Loader=yaml.SafeLoader), file)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _syntax(error, file) from None
    return _value(node, file, "the file", 1)


def _check_events(events: Iterator[Any], file: str) -> None:
    import yaml

    depth = 0
    for event in events:
        line = event.start_mark.line + 1
        opens = isinstance(event, yaml.CollectionStartEvent)
        depth += opens - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ModelError(f"{file}, line {line}: nested more than {DEEPEST} levels deep.")
        refused = getattr(event, "anchor", None) and "&" + event.anchor
        if refused or getattr(event, "tag", None):
            raise ModelError(
                f"{file}, line {line}: {refused or event.tag} is not read here.",
                hint="Write the value out; references and tags are refused.",
            )


def _syntax(error: Any, file: str) -> ModelError:
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}" if mark else ""
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    hint = "Texts with `: `, `#` or quotation marks in them stand in quotation marks."
    return ModelError(f"{file}{where}: this is no YAML: {said}.", hint=hint)


def _value(node: Any, file: str, key: str, line: int) -> Value:
    import yaml

    if node is None:
        return Value(file, key, line, None)
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_value(each, file, key, line) for each in node.value)
        return Value(file, key, line, items)
    if isinstance(node, yaml.MappingNode):
        return Value(file, key, line, _mapping(node, file))
    empty = node.tag == "tag:yaml.org,2002:null"
    return Value(file, key, line, None if empty else node.value)


def _mapping(node: Any, file: str) -> dict[str, Value]:
    import yaml

    found: dict[str, Value] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ModelError(f"{file}, line {line}: a key is no text.")
        if key.value in found:
            raise ModelError(
                f"{file}, line {line}: {key.value!r} stands here for the second time.",
                hint=f"The first is in line {found[key.value].line}.",
            )
        made = _value(value, file, key.value, line)
        # The line of the key: the value of a mapping may begin below it.
        found[key.value] = Value(file, key.value, line, made.content)
    return found
