"""The states of a part of a BPMN process, where a net cannot say what happens without them."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Sequence

from miner.model.bpmn_rules import Rule
from miner.model.workflow_net import Step

MOST_STATES = 20_000
_MOST_TOKENS = 200
_Tokens = tuple[str, ...]


def expanded(
    rules: Sequence[Rule], region: frozenset[str], name: str, markers: Collection[str]
) -> list[Step] | None:
    """Steps that do what `rules` do, with one place for each state that `region` can be in.

    All of them touch the region. Null when there are more than `MOST_STATES`. `markers` are places
    that only say that something is active.
    """
    game = TokenGame(rules, region, markers)
    numbers: dict[_Tokens, str] = {}
    waiting: deque[_Tokens] = deque()

    def state(tokens: _Tokens) -> tuple[str, ...]:
        if not tokens:
            return ()
        if tokens not in numbers:
            numbers[tokens] = f"{name} state {len(numbers)}"
            waiting.append(tokens)
        return (numbers[tokens],)

    steps = []
    for rule in rules:
        if not region.intersection((*rule.before, *rule.some_of)):
            after = game.settled(tuple(place for place in rule.after if place in region))
            steps.append(_step(rule, region, (), state(after)))
    while waiting:
        tokens = waiting.popleft()
        if len(numbers) > MOST_STATES or len(tokens) > _MOST_TOKENS:
            return None
        for rule, after in game.moves(tokens):
            steps.append(_step(rule, region, state(tokens), state(after)))
    return list(dict.fromkeys(steps))


def _step(
    rule: Rule, region: frozenset[str], before: tuple[str, ...], after: tuple[str, ...]
) -> Step:
    outside = [tuple(p for p in side if p not in region) for side in (rule.before, rule.after)]
    return Step(rule.label, (*before, *outside[0]), (*after, *outside[1]), rule.element_id)


def ends_once(rules: Sequence[Rule], source: str, sink: str, *, most_states: int) -> bool | None:
    """Whether no token is left anywhere whenever one reaches `sink`; null when not known."""
    places = {place for rule in rules for place in (*rule.before, *rule.after, *rule.some_of)}
    game = TokenGame(rules, frozenset(places), ())
    seen = {game.settled((source,))}
    waiting = deque(seen)
    while waiting:
        tokens = waiting.popleft()
        if sink in tokens:
            if len(tokens) > 1:
                return False
            continue
        if len(seen) > most_states or len(tokens) > _MOST_TOKENS:
            return None
        new = {after for _, after in game.moves(tokens)} - seen
        seen |= new
        waiting.extend(sorted(new))
    return True


class TokenGame:
    """Plays rules on the tokens of a region; places elsewhere always have what is wanted."""

    def __init__(
        self, rules: Sequence[Rule], region: frozenset[str], markers: Collection[str]
    ) -> None:
        self._region = region
        self._markers = set(markers)
        self._rules = [rule for rule in rules if region.intersection((*rule.before, *rule.some_of))]
        self._of_place: dict[str, list[int]] = defaultdict(list)
        self._needs: list[Counter[str]] = []
        for number, rule in enumerate(self._rules):
            needed = [place for place in rule.before if place in region]
            self._needs.append(Counter(needed))
            for place in needed[:1] or rule.some_of:
                self._of_place[place].append(number)
        self._into = self._backwards()
        self._reach = {
            number: {place: self._reaching(place, number) for place in rule.some_of}
            for number, rule in enumerate(self._rules)
            if rule.some_of
        }
        self._forced = self._forced_rules()

    def moves(self, tokens: _Tokens) -> list[tuple[Rule, _Tokens]]:
        """Each rule that can fire, and the tokens afterwards."""
        here = Counter(tokens)
        numbers = dict.fromkeys(number for place in here for number in self._of_place[place])
        possible = [number for number in numbers if self._enabled(number, here)]
        urgent = [number for number in possible if self._rules[number].urgent]
        return [(self._rules[n], self.settled(self._fired(n, here))) for n in urgent or possible]

    def settled(self, tokens: Iterable[str]) -> _Tokens:
        """The tokens after all silent steps that nothing can come in the way of."""
        waiting, found = list(tokens), []
        for _ in range(1000):
            if not waiting:
                break
            place = waiting.pop()
            if place in self._forced:
                waiting += self._forced[place]
            else:
                found.append(place)
        return tuple(sorted([*found, *waiting]))

    def _enabled(self, number: int, here: Counter[str]) -> bool:
        rule = self._rules[number]
        if not self._needs[number] <= here or any(place in rule.empty for place in here):
            return False
        return not rule.some_of or self._joins(number, here)

    def _joins(self, number: int, here: Counter[str]) -> bool:
        """Whether an inclusive gateway need not wait (BPMN 2.0.2, table 13.3)."""
        ways = self._reach[number]
        full = [place for place in ways if place in here]
        if not full:
            return False
        for place in here:
            if place in ways or place in self._markers:
                continue
            if any(place in ways[other] for other in full):
                continue
            if any(place in ways[other] for other in ways if other not in here):
                return False
        return True

    def _fired(self, number: int, here: Counter[str]) -> list[str]:
        rule = self._rules[number]
        after = here - self._needs[number]
        for place in rule.some_of:
            after[place] -= 1
        left = [place for place in (+after).elements() if place not in rule.clear]
        return [*left, *(place for place in rule.after if place in self._region)]

    def _backwards(self) -> dict[str, list[tuple[int, tuple[str, ...]]]]:
        into: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        for number, rule in enumerate(self._rules):
            for place in rule.after:
                into[place].append((number, (*rule.before, *rule.some_of)))
        return into

    def _reaching(self, place: str, join: int) -> set[str]:
        """The places from which a token may come to `place` without passing `join`."""
        found: set[str] = set()
        waiting = [place]
        while waiting:
            for number, before in self._into[waiting.pop()]:
                new = set(before) - found if number != join else set()
                found |= new
                waiting += new - self._markers
        return found

    def _forced_rules(self) -> dict[str, tuple[str, ...]]:
        """The places that a token always leaves by one silent step, and where it gets to."""
        users: Counter[str] = Counter()
        spoken: dict[str, set[int]] = defaultdict(set)
        for number, rule in enumerate(self._rules):
            users.update({*rule.before, *rule.some_of})
            for place in (*rule.empty, *rule.clear):
                spoken[place].add(number)
        forced = {}
        for rule in self._rules:
            if rule.label is not None or rule.guarded or len(rule.before) != 1 or not rule.after:
                continue
            place = rule.before[0]
            alike = all(p in self._region and spoken[p] == spoken[place] for p in rule.after)
            if users[place] == 1 and alike:
                forced[place] = rule.after
        return forced
