"""Where pm4py has the same notion, it finds the same cases."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from miner.conformance.rules.evaluation import violations
from miner.conformance.rules.parsing import rules_of
from miner.conformance.rules.rule import Rule
from miner.eventlog.log import EventLog
from tests.logs import events_of

DECLARE = {
    "response": "template: response, first: A, then: B",
    "altresponse": "template: response, first: A, then: B, mode: alternate",
    "chainresponse": "template: response, first: A, then: B, mode: chain",
    "precedence": "template: precedence, first: A, then: B",
    "altprecedence": "template: precedence, first: A, then: B, mode: alternate",
    "chainprecedence": "template: precedence, first: A, then: B, mode: chain",
    "succession": "template: succession, first: A, then: B",
    "altsuccession": "template: succession, first: A, then: B, mode: alternate",
    "chainsuccession": "template: succession, first: A, then: B, mode: chain",
    "coexistence": "template: co_existence, activities: [A, B]",
    "existence": "template: existence, activity: A",
    "absence": "template: absence, activity: B",
}

TRACES = ["".join(each) for length in range(1, 6) for each in product("ABC", repeat=length)]
"""All there are of up to five instances of three activities."""


def rule(keys: str) -> Rule:
    return rules_of(f"rules: [{{name: r, {keys}}}]").rules[0]


def log_and_frame(found: dict[str, str]) -> tuple[EventLog, object]:
    events = events_of(found)
    names = {
        "case_id": "case:concept:name",
        "activity": "concept:name",
        "timestamp": "time:timestamp",
        "resource": "org:resource",
    }
    frame = events.select(
        pl.col(old).dt.replace_time_zone("UTC").alias(new)
        if old == "timestamp"
        else pl.col(old).alias(new)
        for old, new in names.items()
    ).to_pandas()
    return EventLog.from_frame(events), frame


def test_rules_on_order_and_existence_agree_with_declare() -> None:
    import pm4py

    steps = {
        f"c{number:03}": " ".join(f"{name}@{minute}" for minute, name in enumerate(trace))
        for number, trace in enumerate(TRACES)
    }
    log, frame = log_and_frame(steps)
    for template, keys in DECLARE.items():
        of_one = {"existence": "A", "absence": "B"}
        model = {template: {of_one.get(template, ("A", "B")): {"support": 1, "confidence": 1}}}
        judged = pm4py.conformance_declare(frame, model)
        wanted = {case for case, each in zip(steps, judged, strict=True) if each["deviations"]}
        got = violations(log, rule(keys), limit=None)["case_id"]
        assert 0 < len(wanted) < len(TRACES)
        assert set(got) == wanted, template


@pytest.mark.filterwarnings("ignore:The 'lsuffix' and 'rsuffix' keywords")
def test_four_eyes_agree_where_both_are_done_once() -> None:
    import pm4py

    steps = {
        f"c{number}": f"A@1({first}) C@2({second}) B@3({second})"
        if in_order
        else f"B@1({second}) A@3({first})"
        for number, (in_order, first, second) in enumerate(product((True, False), "uvw", "uvw"))
    }
    log, frame = log_and_frame(steps)
    wanted = pm4py.filter_four_eyes_principle(frame, "A", "B", keep_violations=True)
    got = violations(log, rule("template: four_eyes, activities: [A, B]"), limit=None)
    assert set(got["case_id"]) == set(wanted["case:concept:name"])
    assert got.height == 6
