"""Small BPMN documents for tests, written the short way."""

from __future__ import annotations

import re
from itertools import pairwise

from miner.model.bpmn_net import read_bpmn
from miner.model.translation import Translation
from tests.model.languages import Language, of_automaton

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def document(*parts: str, executable: str = "true") -> str:
    """A document with one process; each part is XML, or flows such as `a > b > c`."""
    return definitions(f'<process id="P" isExecutable="{executable}">{body(*parts)}</process>')


def definitions(inside: str) -> str:
    """A document around processes."""
    return f'<definitions xmlns="{MODEL}" xmlns:x="http://camunda.org/schema/1.0/bpmn">{inside}</definitions>'


def body(*parts: str) -> str:
    """The content of a process or sub-process; elements get their usual form by their names.

    In flows, `start…` and `end…` are events, `x…`, `p…`, `o…`, `e…` with a number are gateways, and
    single capital letters are tasks, unless XML among the parts says what they are.
    """
    xml = "".join(part for part in parts if part.startswith("<"))
    told = set(re.findall(r'id="([^"]+)"', re.sub(r"<subProcess.*?</subProcess>", _outer, xml)))
    written, flows, number = "", "", 0
    for path in (part for part in parts if not part.startswith("<")):
        names = [name.strip() for name in path.split(">")]
        for source, target in pairwise(names):
            number += 1
            name = f"{source}_{target}_{number}"
            flows += f'<sequenceFlow id="{name}" sourceRef="{source}" targetRef="{target}"/>'
        for name in names:
            if name not in told:
                told.add(name)
                written += f'<{_kind(name)} id="{name}"/>'
    return xml + written + flows


def _outer(match: re.Match[str]) -> str:
    return match[0][: match[0].index(">") + 1]


def _kind(name: str) -> str:
    kinds = {"start": "startEvent", "end": "endEvent"}
    gateways = {"x": "exclusive", "p": "parallel", "o": "inclusive", "e": "eventBased"}
    for beginning, kind in kinds.items():
        if name.startswith(beginning):
            return kind
    if re.fullmatch(r"[xpoe]\d", name):
        return gateways[name[0]] + "Gateway"
    return "task"


def event(kind: str, id_: str, trigger: str = "", **attributes: str) -> str:
    """An event such as `boundaryEvent`, with a trigger such as `timer` or `error:code`."""
    told = "".join(f' {key}="{value}"' for key, value in attributes.items())
    word, _, code = trigger.partition(":")
    ref = f' name="{code}"' if word == "link" else f' {word}Ref="{code}"' if code else ""
    if word == "compensate":
        ref = f' activityRef="{code}"' if code else ""
    inside = f"<{word}EventDefinition{ref}/>" if word else ""
    return f'<{kind} id="{id_}"{told}>{inside}</{kind}>'


def sub(name: str, *parts: str, kind: str = "subProcess", **attributes: str) -> str:
    """A sub-process."""
    told = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<{kind} id="{name}"{told}>{body(*parts)}</{kind}>'


def translated(*parts: str, **options: bool) -> Translation:
    """The translation of a process with these parts."""
    return read_bpmn(document(*parts), **options)  # type: ignore[arg-type]


def language(*parts: str, longest: int = 5, events: bool = False) -> set[str]:
    """The traces of a process with these parts, each as words joined by spaces."""
    return words(of_automaton(translated(*parts, events=events).model, longest))


def words(found: Language) -> set[str]:
    """Traces as text."""
    return {" ".join(trace) for trace in found}
