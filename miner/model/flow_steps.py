"""Nets of definitions while they grow: places, steps, remarks, and blocks that may fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from miner.errors import ModelError
from miner.model.process_model import ProcessModel
from miner.model.translation import Remark, Translation
from miner.model.workflow_net import Step, net_of

SOURCE, SINK = "source", "sink"
MOST_ELEMENTS = 5_000
"""How many elements a definition may have; no engine runs larger ones."""
_MOST_STEPS = 100_000
_MOST_MARKINGS = 5_000


@dataclass
class Flow:
    """Steps of a net under construction, from SOURCE to SINK."""

    language: str
    steps: list[Step] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    elements: int = 0

    def __post_init__(self) -> None:
        self._numbers = count()

    def place(self, name: str = "") -> str:
        """A new place."""
        return f"{name}#{next(self._numbers)}"

    def places(self, number: int) -> tuple[str, ...]:
        """So many new places."""
        return tuple(self.place() for _ in range(number))

    def step(
        self,
        before: str | Sequence[str],
        after: str | Sequence[str],
        label: str | None = None,
        element_id: str | None = None,
    ) -> None:
        """Add a step; without a label it is silent."""
        if len(self.steps) >= _MOST_STEPS:
            raise ModelError(
                f"The {self.language} needs more than {_MOST_STEPS:,} steps.",
                hint="Split the definition into smaller ones.",
            )
        self.steps.append(Step(label, _tuple(before), _tuple(after), element_id))

    def element(self) -> None:
        """Count an element of the definition; raises ModelError when they are too many."""
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise ModelError(
                f"The {self.language} has more than {MOST_ELEMENTS:,} elements.",
                hint="Split the definition into smaller ones.",
            )

    def remark(self, element_id: str | None, element: str, text: str) -> None:
        """Say by name what the net does not say exactly; saying it twice says it once."""
        found = Remark(element_id, element, text)
        if found not in self.remarks:
            self.remarks.append(found)

    def any_number(self, labels: Iterable[tuple[str, str]], before: str, after: str) -> None:
        """Steps with labels (and element ids) any number of times in any order."""
        inside = self.place()
        self.step(before, inside)
        for label, element_id in dict.fromkeys(labels):
            self.step(inside, inside, label, element_id)
        self.step(inside, after)

    def translation(
        self, name: str, source_format: str, text: str, version: str | None
    ) -> Translation:
        """The net of all steps that can be taken, as a model of `name`.

        Elements of which no step can be taken are said. In nets with very many states, steps stay
        that look possible place by place.
        """
        steps = _taken(_reached(self.steps))
        left_out = {s.element_id for s in self.steps if s.label is not None}
        left_out -= {step.element_id for step in steps}
        for element_id in sorted(filter(None, left_out)):
            self.remark(element_id, "element", "It can never be reached; it is left out.")
        net = net_of(steps, SOURCE, SINK)
        model = ProcessModel(name, net, source_format, text, None, version)
        return Translation(model, tuple(self.remarks))


def _reached(steps: Sequence[Step]) -> list[Step]:
    """The steps whose places can all be marked at some time, others aside."""
    waiting_for = [len(set(step.before)) for step in steps]
    consumers: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        for place in set(step.before):
            consumers.setdefault(place, []).append(number)
    marked, waiting, kept = {SOURCE}, [SOURCE], set()
    while waiting:
        for number in consumers.get(waiting.pop(), ()):
            waiting_for[number] -= 1
            if not waiting_for[number]:
                kept.add(number)
                new = [place for place in steps[number].after if place not in marked]
                marked.update(new)
                waiting += new
    return [step for number, step in enumerate(steps) if number in kept]


def _taken(steps: list[Step]) -> list[Step]:
    """The steps that are taken in some state; all of them when there are too many states."""
    consumers: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        consumers.setdefault(step.before[0], []).append(number)
    sets = [(frozenset(step.before), frozenset(step.after)) for step in steps]
    start = frozenset({SOURCE})
    seen, waiting = {start}, [start]
    taken: set[int] = set()
    while waiting and len(taken) < len(steps):
        marked = waiting.pop()
        for number in (number for place in marked for number in consumers.get(place, ())):
            before, after = sets[number]
            if before <= marked:
                taken.add(number)
                found = (marked - before) | after
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)
        if len(seen) > _MOST_MARKINGS:
            return steps
    return [step for number, step in enumerate(steps) if number in taken]


def _tuple(places: str | Sequence[str]) -> tuple[str, ...]:
    return (places,) if isinstance(places, str) else tuple(dict.fromkeys(places))
