"""Blocks of a state machine that an error ends as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from miner.model.flow_steps import SINK, Flow

Places = str | Sequence[str]


@dataclass(frozen=True)
class Scopes:
    """The blocks around a state, from the outside; only those that may fail.

    Each has a token that says whether it runs or has failed. What begins inside has to find all of
    them running; what had begun when one failed may still end, and its branch is over.
    """

    around: tuple[Scope, ...] = ()
    caught: bool = False
    """Whether any block around catches errors or tries again."""

    def forward(self, flow: Flow, before: Places, after: Places) -> None:
        """A silent step that needs all blocks around to run."""
        running = tuple(place for scope in self.around for place in scope.running)
        flow.step((*_all(before), *running), (*_all(after), *running))

    def fail(self, flow: Flow, before: Places, end: str, name: str | None = None) -> None:
        """A step with which the innermost block fails; without one, the execution.

        With a `name` it is that of a Fail state, which fails in the moment it is entered.
        """
        if not self.around:
            flow.step(before, SINK, name, name)
            return
        running = tuple(place for scope in self.around for place in scope.running)
        outer = tuple(place for scope in self.around[:-1] for place in scope.running)
        failing = self.around[-1].failing
        flow.step((*_all(before), *running), (end, *outer, *failing), name, name)
        if name is not None:  # a sister failed in the same moment
            flow.step((*_all(before), *failing), (end, *failing), name, name)

    def cancel(self, flow: Flow, before: Places, end: str) -> None:
        """A silent step to the end of a branch whose block has failed."""
        for scope in self.around[-1:]:
            flow.step((*_all(before), *scope.failing), (end, *scope.failing))


@dataclass(frozen=True)
class Scope:
    """A Parallel or Map state: the places of its token, none where it cannot fail."""

    running: tuple[str, ...]
    failing: tuple[str, ...]
    by_itself: bool
    """Whether it may fail by errors that no state stands for, because something catches them."""
    fails: bool
    """Whether a Fail state inside may fail it in a way that it does not catch itself."""
    caught: bool

    @classmethod
    def around(cls, flow: Flow, outer: Scopes, handled: bool, retried: bool, fails: bool) -> Scope:
        """The scope of a state inside `outer` that catches errors (`handled`) or tries again."""
        caught = outer.caught or handled or retried
        if not (caught or fails or outer.around):
            return cls((), (), False, False, False)
        running, failing = flow.places(2)
        return cls((running,), (failing,), caught, fails, caught)

    @classmethod
    def none(cls, fails: bool) -> Scope:
        """No token: what is inside is not stopped by failing."""
        return cls((), (), False, fails, False)

    def within(self, outer: Scopes) -> Scopes:
        """What is around the states inside."""
        around = (*outer.around, self) if self.running else outer.around
        return Scopes(around, self.caught)

    def enclose(
        self,
        flow: Flow,
        outer: Scopes,
        starts: tuple[str, ...],
        ends: tuple[str, ...],
        state: tuple[str, str],
        retried: bool,
    ) -> None:
        """Steps around the branches: the first of `starts` leads to the rest; the last of `ends`
        is where the state ends, with its label and id in `state`."""
        before, *opened = starts
        *done, out = ends
        first, again = flow.places(2)
        flow.step(before, (*opened, *self.running, *((first,) if retried else ())))
        if self.by_itself:
            flow.step(self.running, self.failing)
        over = outer.around[-1:]
        if self.running:
            for scope in over:
                flow.step((*self.running, *scope.failing), (*self.failing, *scope.failing))
        if not retried:
            flow.step(done, out, *state)
            return
        # The first attempt leaves the event of the state; those after it do what is inside again.
        flow.step((*done, first), out, *state)
        flow.step((*done, again), out)
        outer.forward(flow, (out, *self.failing), (*opened, *self.running, again))


def _all(places: Places) -> tuple[str, ...]:
    return (places,) if isinstance(places, str) else tuple(places)
