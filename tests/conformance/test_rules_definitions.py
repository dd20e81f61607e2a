"""The SQL of each kind of rule finds what its definition finds, in any small log."""

from __future__ import annotations

from collections import Counter, defaultdict

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.deviation import DEVIATION
from miner.conformance.rules.evaluation import RuleResult, evaluate, violations
from miner.conformance.rules.parsing import rules_of
from miner.conformance.rules.rule import Rule
from miner.eventlog.log import EventLog
from tests.conformance.rule_definitions import Done, Found, outcomes
from tests.logs import at

RULES = """
rules:
  - {name: r, template: response, first: A, then: B}
  - {name: r-timed, template: response, first: A, then: B, within: 5min}
  - {name: r-alternate, template: response, first: A, then: B, mode: alternate}
  - {name: r-chain, template: response, first: A, then: B, mode: chain, within: 8min}
  - {name: p, template: precedence, first: A, then: B}
  - {name: p-timed, template: precedence, first: B, then: C, within: 5min}
  - {name: p-alternate, template: precedence, first: A, then: B, mode: alternate, within: 9min}
  - {name: p-chain, template: precedence, first: A, then: B, mode: chain}
  - {name: s, template: succession, first: A, then: B, within: 5min}
  - {name: s-alternate, template: succession, first: A, then: B, mode: alternate}
  - {name: s-chain, template: succession, first: A, then: B, mode: chain}
  - {name: t-most, template: time_between, first: A, then: B, at_most: 5min}
  - {name: t-both, template: time_between, first: A, then: B, at_least: 2min, at_most: 9min}
  - {name: t-start, template: time_between, first: A, then: B, at_most: 5min, until: start}
  - {name: t-begin, template: time_between, first: A, then: B, at_least: 5min, from: start}
  - {name: e, template: existence, activity: A}
  - {name: e-twice, template: existence, activity: A, times: 2}
  - {name: a, template: absence, activity: A}
  - {name: a-once, template: absence, activity: B, times: 1}
  - {name: x, template: exclusive_choice, activities: [A, B]}
  - {name: x-three, template: exclusive_choice, activities: [C, A, B]}
  - {name: c, template: co_existence, activities: [A, B, C]}
  - {name: f, template: four_eyes, activities: [A, B]}
  - {name: d, template: segregation, activities: [A, B, C]}
  - {name: o, template: role, activity: [A, C], resources: [ann, cy]}
"""

steps = st.tuples(
    st.sampled_from("ABCD"),
    st.integers(0, 20),
    st.sampled_from((None, 0, 3)),
    st.sampled_from((None, "ann", "bob", "cy")),
    st.sampled_from(("complete", "complete", "complete", "complete", "fail", "running")),
)
logs = st.dictionaries(
    st.sampled_from([f"c{number}" for number in range(8)]),
    st.tuples(st.lists(steps, min_size=1, max_size=7), st.booleans()),
    min_size=3,
)


def events(log: dict[str, tuple[list[tuple[object, ...]], bool]]) -> pl.DataFrame:
    rows = []
    for case_id, (done, is_open) in log.items():
        status = "running" if is_open else "completed"
        for number, (activity, minute, took, resource, ending) in enumerate(done):
            shared = (case_id, activity, f"{case_id}-{number}", resource, status)
            began = ending == "running" or took is not None
            if began:
                rows.append((*shared, "start", at(float(minute) - (took or 0))))  # type: ignore[arg-type]
            if ending != "running":
                rows.append((*shared, ending, at(float(minute))))  # type: ignore[arg-type]
    names = ("case_id", "activity", "instance_id", "resource", "case_status", "lifecycle")
    schema = dict.fromkeys(names, pl.String) | {"timestamp": pl.Datetime("us")}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        position=pl.int_range(pl.len())
    )


INSTANCES = pl.Schema(
    {
        **dict.fromkeys(("case_id", "activity", "resource", "status", "case_status"), pl.String()),
        "number": pl.Int64(),
        "completed_at": pl.Datetime("us"),
        "started_at": pl.Datetime("us"),
    }
)


def expected(log: EventLog, rule: Rule) -> dict[str, list[Found]]:
    rows = log.query(
        """
        select c.case_id, a.activity, r.resource, i.status::varchar as status,
            k.status::varchar as case_status, i.number, i.completed_at, i.started_at
        from activity_instance as i
        join case_identity as c using (case_key)
        join "case" as k on k.case_key = i.case_key
        join activity as a using (activity_key)
        left join resource as r using (resource_key)
        order by c.case_id, i.number
        """,
        INSTANCES,
    ).rows(named=True)
    cases = defaultdict(list)
    for row in rows:
        cases[row["case_id"]].append(row)
    found = {}
    for case_id, all_rows in cases.items():
        done = [
            Done(*(row[name] for name in
                   ("number", "activity", "completed_at", "started_at", "resource")))
            for row in all_rows
            if row["status"] == "completed"
        ]  # fmt: skip
        is_open = all_rows[0]["case_status"] == "running"
        at_work = {
            row["number"]: row["activity"] if row["status"] == "running" else None
            for row in all_rows
            if row["status"] != "completed" or row["activity"] not in rule.activities
        }
        found[case_id] = outcomes(rule, done, is_open=is_open, at_work=at_work)
    return found


@settings(max_examples=6, deadline=None)
@given(logs)
def test_every_rule_finds_what_its_definition_says(
    log: dict[str, tuple[list[tuple[object, ...]], bool]],
) -> None:
    events_log = EventLog.from_frame(events(log))
    rules = rules_of(RULES)
    for rule, found in zip(rules, evaluate(events_log, rules).results, strict=True):
        wanted = expected(events_log, rule)
        rows = violations(events_log, rule, limit=None)
        _check(found, wanted, rows)


def _check(found: RuleResult, wanted: dict[str, list[Found]], rows: pl.DataFrame) -> None:
    counts = Counter(outcome for each in wanted.values() for outcome, _, _ in each)
    judged = [each for each in wanted.values() if {"kept", "broken"} & {o for o, _, _ in each}]
    broken = [each for each in wanted.values() if "broken" in {o for o, _, _ in each}]
    assert found.violations == counts["broken"], found.rule
    assert (found.pending, found.not_judged) == (counts["pending"], counts["unknown"]), found.rule
    assert found.activations == counts.total(), found.rule
    assert (found.judged_cases, found.violating_cases) == (len(judged), len(broken)), found.rule
    assert rows.schema == DEVIATION
    assert sorted(rows.select("case_id", "number", "kind").rows(), key=repr) == sorted(
        (
            (case_id, number, kind)
            for case_id, each in wanted.items()
            for outcome, number, kind in each
            if outcome == "broken"
        ),
        key=repr,
    )
