"""The templates of DECLARE as automata over what happens: the first activity, the second, others.

Source: Di Ciccio and Montali, Declarative Process Specifications, in: Process Mining Handbook
(2022), tables 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

DEAD = -1


@dataclass(frozen=True)
class Template:
    """An automaton: for each state, where the first, the second and any other activity lead."""

    moves: tuple[tuple[int, int, int], ...]
    accepting: frozenset[int]


def _template(accepting: set[int], *moves: tuple[int, int, int]) -> Template:
    return Template(moves, frozenset(accepting))


_X = DEAD
_RESPONSE = _template({0}, (1, 0, 0), (1, 0, 1))
_PRECEDENCE = _template({0, 1}, (1, _X, 0), (1, 1, 1))
_ALTERNATE_RESPONSE = _template({0}, (1, 0, 0), (_X, 0, 1))
_ALTERNATE_PRECEDENCE = _template({0, 1}, (1, _X, 0), (1, 0, 1))
_CHAIN_RESPONSE = _template({0}, (1, 0, 0), (_X, 0, _X))
_CHAIN_PRECEDENCE = _template({0, 1}, (1, _X, 0), (1, 0, 0))
_RESPONDED_EXISTENCE = _template({0, 2}, (1, 2, 0), (1, 2, 1), (2, 2, 2))
_NOT_TOGETHER = _template({0, 1, 2}, (1, 2, 0), (1, _X, 1), (_X, 2, 2))
_NOT_LATER = _template({0, 1}, (1, 0, 0), (1, _X, 1))
_NOT_NEXT = _template({0, 1}, (1, 0, 0), (1, _X, 0))

BINARY: dict[str, tuple[Template, ...]] = {
    "choice": (_template({1}, (1, 1, 0), (1, 1, 1)),),
    "exclusivechoice": (_template({1, 2}, (1, 2, 0), (1, _X, 1), (_X, 2, 2)),),
    "respondedexistence": (_RESPONDED_EXISTENCE,),
    "coexistence": (_template({0, 3}, (1, 2, 0), (1, 3, 1), (3, 2, 2), (3, 3, 3)),),
    "response": (_RESPONSE,),
    "precedence": (_PRECEDENCE,),
    "succession": (_RESPONSE, _PRECEDENCE),
    "alternateresponse": (_ALTERNATE_RESPONSE,),
    "alternateprecedence": (_ALTERNATE_PRECEDENCE,),
    "alternatesuccession": (_ALTERNATE_RESPONSE, _ALTERNATE_PRECEDENCE),
    "chainresponse": (_CHAIN_RESPONSE,),
    "chainprecedence": (_CHAIN_PRECEDENCE,),
    "chainsuccession": (_CHAIN_RESPONSE, _CHAIN_PRECEDENCE),
    "notrespondedexistence": (_NOT_TOGETHER,),
    "notcoexistence": (_NOT_TOGETHER,),
    "notresponse": (_NOT_LATER,),
    "notprecedence": (_NOT_LATER,),
    "notsuccession": (_NOT_LATER,),
    "notchainresponse": (_NOT_NEXT,),
    "notchainprecedence": (_NOT_NEXT,),
    "notchainsuccession": (_NOT_NEXT,),
}
"""Templates of two activities, by name in small letters without spaces and hyphens."""

UNARY = ("existence", "absence", "exactly", "init", "end")
"""Templates of one activity; the first three count."""
MOST = 1000
"""The highest number that a template may count to."""


def unary(name: str, number: int) -> Template:
    """The template `name` of one activity; `number` counts its occurrences.

    `existence`: at least so often; `absence`: less often; `exactly`: so often.
    """
    match name:
        case "init":
            return _template({1}, (1, _X, _X), (1, 1, 1))
        case "end":
            return _template({1}, (1, 0, 0), (1, 0, 0))
        case "existence":
            accepting, last = {number}, number
        case "exactly":
            accepting, last = {number}, DEAD
        case _:
            number, last = number - 1, DEAD
            accepting = set(range(number + 1))
    counting = [(state + 1, state, state) for state in range(number)]
    return _template(accepting, *counting, (last, number, number))
