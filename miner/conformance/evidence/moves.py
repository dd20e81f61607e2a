"""The alignment of every trace that deviates, move by move."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from miner.conformance.alignments import Traces, align
from miner.conformance.held import Held
from miner.conformance.workflows import Workflow

PAGE = 20_000
TRACE_MOVES = pl.Schema(
    {
        "model": pl.String(),
        "trace": pl.Int64(),
        "cases": pl.Int64(),
        "cost": pl.Int32(),
        "step": pl.Int64(),
        "move": pl.String(),
        "activity": pl.String(),
        "number": pl.Int32(),
        "element_id": pl.String(),
    }
)
_TRACE = pl.Schema(
    {
        "trace": pl.Int64(),
        "cases": pl.Int64(),
        "cost": pl.Int32(),
        "activities": pl.List(pl.String()),
    }
)


def trace_moves(held: Held, *, seconds: float = 300.0) -> Iterator[pl.DataFrame]:
    """The moves of an optimal alignment of each trace that deviates from its model.

    `trace` and `model` are those of the population; `cases` ran like that. `move` is `both`, `log`
    (the event has no place in the model) or `model` (the model asks for what was not done);
    `number` is the place in the trace, null for what was not done; `element_id` is null where
    several elements have the name. A trace that is not aligned again in the time has no rows.

    Yields `TRACE_MOVES` in pieces, in order of model, trace and step.
    """
    for workflow in held.workflows.workflows:
        held.log.lay("deviating_trace", _DEVIATING, model=workflow.key)
        after: int | None = None
        while True:
            page = held.log.query(_PAGE, _TRACE, after=after, limit=PAGE)
            if page.is_empty():
                break
            yield _moves(workflow, page, seconds)
            after = int(page["trace"][-1])


def _moves(workflow: Workflow, page: pl.DataFrame, seconds: float) -> pl.DataFrame:
    found = align(workflow.model, Traces.from_frame(page), seconds=seconds)
    moves = found.moves.with_row_index("row").cast({"kind": pl.String(), "row": pl.Int64()})
    page = page.with_row_index("index").with_columns(
        pl.col("index").cast(pl.Int32),
        is_same=pl.Series(found.exact) & (pl.Series(found.costs) == pl.col("cost")),
    )
    elements = _elements(workflow)
    asked = moves.filter(pl.col("kind") == "model").join(elements, on="transition", how="left")
    by_name = elements.group_by("activity").agg(
        pl.when(pl.len() == 1).then(pl.col("element_id").first()).alias("element_id")
    )
    alone = moves.filter(pl.col("kind") == "log").select("trace", "number", "kind")
    done = (
        page.select(trace="index", activity="activities")
        .filter(pl.col("activity").list.len() > 0)
        .explode("activity")
        .with_columns(number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("trace"))
        .join(alone, on=["trace", "number"], how="left")
        .join(by_name, on="activity", how="left")
    )
    shape = ["trace", "before", "row", "move", "activity", "number", "element_id"]
    of_model = asked.with_columns(
        before=pl.col("number"), move=pl.lit("model"), number=pl.lit(None, pl.Int32)
    ).select(shape)
    of_log = done.with_columns(
        before=pl.col("number"),
        row=pl.lit(None, pl.Int64),  # after the model moves that come before the event
        move=pl.col("kind").fill_null("both"),
        element_id=pl.when(pl.col("kind").is_null()).then("element_id"),
    ).select(shape)
    return (
        pl.concat([of_model, of_log])
        .sort("trace", "before", "row", nulls_last=True)
        .with_columns(step=pl.int_range(1, pl.len() + 1).over("trace"))
        .rename({"trace": "index"})
        .join(page.filter("is_same"), on="index", how="inner", maintain_order="left")
        .with_columns(model=pl.lit(f"{workflow.key:016x}"))
        .select(TRACE_MOVES.names())
        .cast(TRACE_MOVES)
    )


def _elements(workflow: Workflow) -> pl.DataFrame:
    transitions = workflow.model.net.transitions
    return pl.DataFrame(
        [(number, each.label, each.element_id) for number, each in enumerate(transitions)],
        schema={"transition": pl.Int32(), "activity": pl.String(), "element_id": pl.String()},
        orient="row",
    ).filter(pl.col("activity").is_not_null())


_DEVIATING = """
select j.trace_key, count(*) as cases, any_value(a.cost) as cost
from judged_case as j
join aligned as a using (model, trace_key)
where j.model = $model and a.cost > 0
group by j.trace_key
"""

_PAGE = """
with page as (
    select
        d.trace_key,
        d.cases,
        d.cost,
        coalesce(v.activity_keys, t.activity_keys, n.activity_keys) as activity_keys
    from deviating_trace as d
    left join variant as v on v.variant_key = d.trace_key
    left join trace as t on t.trace_key = d.trace_key
    left join new_trace as n on n.trace_key = d.trace_key
    where $after is null or d.trace_key > $after
    order by d.trace_key
    limit $limit
),
step as (
    select
        trace_key,
        unnest(activity_keys) as activity_key,
        unnest(range(len(activity_keys))) as number
    from page
),
named as (
    select s.trace_key, list(a.activity order by s.number) as activities
    from step as s
    join activity as a using (activity_key)
    group by s.trace_key
)
select p.trace_key as trace, p.cases, p.cost, coalesce(n.activities, []) as activities
from page as p
left join named as n using (trace_key)
order by p.trace_key
"""
