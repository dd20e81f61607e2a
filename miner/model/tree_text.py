"""Process trees as text, and as PTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from miner.errors import ModelError
from miner.model.process_model import ProcessModel
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree
from miner.model.translation import Remark, Translation
from miner.model.tree_net import net_of_tree
from miner.model.xml_reader import local_name, parse_xml

_DEEPEST = 200
_TOKEN = re.compile(r"\s*(?:(?P<name>'(?:[^'\\]|\\.)*')|(?P<word>->|[X+O*(),]|tau\b|τ))", re.DOTALL)
_OPERATORS = {
    "sequence": Operator.SEQUENCE,
    "xor": Operator.EXCLUSIVE,
    "and": Operator.PARALLEL,
    "or": Operator.INCLUSIVE,
    "xorLoop": Operator.LOOP,
}


def read_process_tree(text: str, *, name: str = "model", version: str | None = None) -> Translation:
    """The model of a process tree, written as `str(ProcessTree)` does or as PTML.

    The text is `->( 'a', X( 'b', tau ) )` with the operators `->`, `X`, `+`, `O` and `*`; quotes
    and backslashes in names have a backslash before them. A third part of a loop in PTML is done
    once on leaving it, as in ProM and pm4py. Transitions have no elements to lead back to. Raises
    ModelError, with the position, for anything else, and for trees deeper than 200 nodes.
    """
    remarks: tuple[Remark, ...] = ()
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        found, remarks = _ptml(text)
    else:
        found = parse_tree(text)
    model = ProcessModel(name, net_of_tree(found), "process-tree", text, found, version)
    return Translation(model, remarks)


def parse_tree(text: str) -> ProcessTree:
    """The process tree that `text` is, as `str(ProcessTree)` writes it; raises ModelError."""
    reader = _Reader(text, list(_tokens(text)))
    found = reader.node(0)
    if reader.at < len(reader.tokens):
        reader.refuse("goes on after the end of the tree")
    return found


@dataclass
class _Reader:
    text: str
    tokens: list[tuple[str, int]]
    at: int = 0

    def node(self, depth: int) -> ProcessTree:
        if depth > _DEEPEST:
            self.refuse(f"is nested deeper than {_DEEPEST} operators")
        word = self._take()
        if word in ("tau", "τ"):
            return TAU
        if word.startswith("'"):
            label = re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
            return activity(label) if label else self.refuse("has an activity without a name")
        if word not in tuple(Operator):
            self.at -= 1
            self.refuse(f"has {word!r} where an operator or an activity is expected")
        self._expect("(")
        children = [self.node(depth + 1)]
        while (word_after := self._take()) == ",":
            children.append(self.node(depth + 1))
        if word_after != ")":
            self.at -= 1
            self.refuse(f"has {word_after!r} where ',' or ')' is expected")
        if word == Operator.LOOP and len(children) < 2:
            children.append(TAU)
        return tree(Operator(word), *children)

    def refuse(self, problem: str) -> NoReturn:
        where = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.text)
        raise ModelError(
            f"The process tree {problem}, at character {where + 1}.",
            hint="A tree reads ->( 'a', X( 'b', tau ) ).",
        )

    def _take(self) -> str:
        if self.at >= len(self.tokens):
            self.refuse("is cut off")
        self.at += 1
        return self.tokens[self.at - 1][0]

    def _expect(self, word: str) -> None:
        found = self._take()
        if found != word:
            self.at -= 1
            self.refuse(f"has {found!r} where {word!r} is expected")


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    at, end = 0, len(text.rstrip())
    if not end:
        raise ModelError("The process tree is empty.", hint="A tree reads ->( 'a', 'b' ).")
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ModelError(
                f"The process tree cannot be read at character {at + 1}: {text[at : at + 20]!r}.",
                hint="A tree reads ->( 'a', X( 'b', tau ) ); names stand in single quotes.",
            )
        yield match["name"] or match["word"], match.start("name" if match["name"] else "word")
        at = match.end()


def _ptml(text: str) -> tuple[ProcessTree, tuple[Remark, ...]]:
    root = parse_xml(text, "PTML")
    trees = [element for element in root.iter() if local_name(element) == "processTree"]
    if local_name(root) != "ptml" or not trees:
        raise ModelError(
            f"The document is not PTML: its outermost element is <{local_name(root)}>.",
            hint="It has to be <ptml> with a <processTree>.",
        )
    remarks = [
        Remark(other.get("id"), "processTree", "Only the first tree of the document is read.")
        for other in trees[1:]
    ]
    first = trees[0]
    nodes: dict[str, Any] = {}
    children: dict[str, list[str]] = {}
    for element in first:
        if local_name(element) == "parentsNode":
            children.setdefault(element.get("sourceId"), []).append(element.get("targetId"))
        elif element.get("id") in nodes:
            raise ModelError(
                f"Two nodes of the process tree have the id {element.get('id')!r}.",
                hint="Give every node an id of its own.",
            )
        else:
            nodes[element.get("id")] = element
    return _ptml_node(first.get("root"), nodes, children, ()), tuple(remarks)


def _ptml_node(
    name: str, nodes: dict[str, Any], children: dict[str, list[str]], above: tuple[str, ...]
) -> ProcessTree:
    element = nodes.get(name)
    if element is None or name in above or len(above) > _DEEPEST:
        problem = "does not exist" if element is None else "lies in itself or too deep"
        raise ModelError(
            f"The node {name!r} of the process tree {problem}.", hint="Export the tree again."
        )
    kind = local_name(element)
    if kind == "manualTask":
        label = element.get("name")
        return activity(label) if label else TAU
    if kind == "automaticTask":
        return TAU
    if kind not in _OPERATORS or not children.get(name):
        raise ModelError(
            f"The node {name!r} in line {element.sourceline} is a <{kind}> with "
            f"{len(children.get(name, []))} children, which is no block of a process tree.",
            hint="Blocks are sequence, xor, and, or and xorLoop, tasks manualTask, automaticTask.",
        )
    found = [_ptml_node(child, nodes, children, (*above, name)) for child in children[name]]
    if kind == "xorLoop":
        return _ptml_loop(found)
    return tree(_OPERATORS[kind], *found)


def _ptml_loop(found: list[ProcessTree]) -> ProcessTree:
    """A loop of PTML has a third part for leaving it, which is done once in the end."""
    loop = tree(Operator.LOOP, found[0], *(found[1:2] or [TAU]))
    rest = [part for part in found[2:] if not part.silent]
    return tree(Operator.SEQUENCE, loop, *rest) if rest else loop
