"""What conformance found out, kept in the store for whoever asks next."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.store import EventStore

NO_TRACE = 0
"""The key of the empty trace, which shows what a model costs alone; variants begin at 1."""

ALIGNMENT = pl.Schema({"model": pl.UInt64(), "trace_key": pl.Int64(), "cost": pl.Int32()})
TRACE_DEVIATION = pl.Schema(
    {
        "model": pl.UInt64(),
        "trace_key": pl.Int64(),
        "number": pl.Int32(),
        "kind": pl.String(),
        "activity": pl.String(),
        "instead": pl.String(),
        "expected_after": pl.String(),
        "element_id": pl.String(),
    }
)
TRACE = pl.Schema({"trace_key": pl.Int64(), "activity_keys": pl.List(pl.Int32())})
QUALITY = pl.Schema(
    {
        "model": pl.UInt64(),
        "scope": pl.UInt64(),
        "precision": pl.Float64(),
        "precision_covered": pl.Float64(),
        "generalization": pl.Float64(),
    }
)


def keep(store: EventStore, log: EventLog) -> None:
    """Keep in the store what `hold` found out about `log`, for whoever asks next."""
    known = _KEPT if not log.condition else _OF_ANY_CASES
    frames = {
        name: log.query(f"select columns(*) from {name}", schema) for name, schema in known.items()
    }
    ((last,),) = log.query("select max(load_id) as load_id from load", _LOAD).rows()
    with store.write() as writer, writer.transaction():
        connection = writer.connection
        for name, frame in frames.items():
            connection.register(f"found_{name}", frame)
        parameters = {"process": log.process}
        for statement in _KEEP:
            connection.execute(statement, parameters)
        if not log.condition:
            for statement in _FORGET:
                connection.execute(statement, parameters)
            for statement in _KEEP_OF_ALL:
                connection.execute(statement, parameters | {"last": last})
        for name in frames:
            connection.unregister(f"found_{name}")


_LOAD = pl.Schema({"load_id": pl.Int64()})
_OF_ANY_CASES = {
    "new_trace": TRACE,
    "newly_aligned": TRACE,
    "new_alignment": ALIGNMENT,
    "new_deviation": TRACE_DEVIATION,
}
_KEPT = {
    **_OF_ANY_CASES,
    "new_quality": QUALITY,
    "traced": pl.Schema({"case_key": pl.Int32(), "trace_key": pl.Int64()}),
}
_OF = "(select process_key from process where process = $process)"
# Somebody else may have kept the same in the meantime, and a load may have dropped a variant.
_STANDS = f"""
    (f.trace_key <= {NO_TRACE} or f.trace_key in (
        select v.variant_key
        from variant as v
        join found_newly_aligned as n
            on n.trace_key = v.variant_key and n.activity_keys = v.activity_keys
        where v.process_key = {_OF}
    ))
"""
_KEEP = (
    f"""
    insert into trace
    select {_OF}, f.trace_key, f.activity_keys
    from found_new_trace as f
    where f.trace_key not in (select trace_key from trace where process_key = {_OF})
    """,
    f"""
    insert into trace_deviation
    select {_OF}, f.model, f.trace_key, f.number, f.kind, f.activity, f.instead,
        f.expected_after, f.element_id
    from found_new_deviation as f
    anti join (select columns(*) from alignment where process_key = {_OF}) as a
        using (model, trace_key)
    where {_STANDS}
    """,
    f"""
    insert into alignment
    select {_OF}, f.model, f.trace_key, f.cost
    from found_new_alignment as f
    anti join (select columns(*) from alignment where process_key = {_OF}) as a
        using (model, trace_key)
    where {_STANDS}
    """,
)
# These are of all cases up to a load.
_FORGET = (
    f"delete from traced_case where process_key = {_OF}",
    f"delete from traced_load where process_key = {_OF}",
    f"""
    delete from model_quality
    where process_key = {_OF} and scope in (select scope from found_new_quality)
    """,
)
_KEEP_OF_ALL = (
    f"""
    insert into traced_case
    select {_OF}, f.case_key, f.trace_key
    from found_traced as f
    where $last is not null
    """,
    f"insert into traced_load select {_OF}, $last::integer",
    f"""
    insert into model_quality
    select {_OF}, f.model, f.scope, $last::integer, f.precision, f.precision_covered,
        f.generalization
    from found_new_quality as f
    """,
)
