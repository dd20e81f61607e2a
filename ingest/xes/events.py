"""Flat attributes of XES as events and traces: one frame per batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from ingest.xes.elements import Header, Rows
from ingest.xes.json import mistyped, quoted, scalar_json
from ingest.xes.time import instants
from miner.eventlog.schema import CASE_STATUS, INSTANT

EVENT_KEYS = {
    "identity:id": "event_id",
    "concept:name": "activity",
    "concept:instance": "instance_id",
    "lifecycle:transition": "lifecycle",
    "time:timestamp": "timestamp",
    "org:resource": "resource",
    "procession:activity_id": "activity_id",
    "procession:attempt": "attempt",
    "procession:resource_kind": "resource_kind",
    "procession:error_type": "error_type",
    "procession:error_message": "error_message",
    "procession:process_version": "process_version",
    "procession:version": "version",
}
TRACE_KEYS = {
    "concept:name": "case_id",
    "procession:status": "case_status",
    "procession:parent_case_id": "parent_case_id",
    "procession:root_case_id": "root_case_id",
}

EVENTS = pl.Schema(
    {
        "trace": pl.Int64(),
        "position": pl.Int64(),
        **{column: pl.String() for column in EVENT_KEYS.values()},
        "timestamp": INSTANT,
        "attempt": pl.Int32(),
        "version": pl.Int64(),
        "attributes": pl.String(),
        "reason": pl.String(),
        "record": pl.String(),
    }
)
TRACES = pl.Schema(
    {
        "trace": pl.Int64(),
        **{column: pl.String() for column in TRACE_KEYS.values()},
        "case_attributes": pl.String(),
        "unnamed": pl.Boolean(),
    }
)

ATTRIBUTES = pl.Schema(
    {"owner": pl.Int64(), "kind": pl.String(), "key": pl.String(), "value": pl.String()}
)


@dataclass
class Found:
    """What was met while reading that a person should know, counted."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, rows: pl.Series) -> None:
        """Count `rows`, texts that say what was met, and keep the first as the example."""
        if len(rows):
            self.counts[what] += len(rows)
            self.examples.setdefault(what, str(rows[0])[:100])


def events(
    rows: Rows, header: Header, activity: Sequence[str], zone: str, found: Found
) -> pl.DataFrame:
    """A batch of events.

    Returns `EVENTS`, one row per event in the order of the file. An event that has no activity,
    no readable timestamp or no trace has a `reason` and all of its attributes as `record`. The
    activity is the value of the keys `activity`; where there are several, joined by `+`.
    """
    flat = _attributes(rows, found)
    keys = {header.key(standard): column for standard, column in EVENT_KEYS.items()}
    name_key = header.key("concept:name")
    if list(activity) != [name_key]:
        del keys[name_key]
    if len(activity) == 1 and activity[0] not in keys:
        keys[activity[0]] = "activity"
    columns = _columns(flat, keys, len(rows.ends))
    if "activity" not in keys.values():
        columns = columns.with_columns(_joined(flat, activity, len(rows.ends)).alias("activity"))
    times = instants(columns["timestamp"], zone)
    found.add("naive", columns["timestamp"].filter(times["naive"]))
    found.add("finer", columns["timestamp"].filter(times["finer"]))
    reason = (
        pl.when(pl.col("trace").is_null())
        .then(pl.lit("an event outside of any trace"))
        .when(pl.col("activity").is_null())
        .then(pl.lit(f"no activity: the event has no {' and no '.join(activity)}"))
        .otherwise("reason")
        .alias("reason")
    )
    frame = columns.with_columns(
        *times.select("timestamp", "reason"),
        pl.Series("trace", rows.traces, pl.Int64),
        pl.int_range(rows.first, rows.first + len(rows.ends)).alias("position"),
        pl.col("attempt").cast(pl.Int32, strict=False),
        pl.col("version").cast(pl.Int64, strict=False),
        _json(flat, list(keys), len(rows.ends)).alias("attributes"),
    ).with_columns(reason)
    return _with_records(frame, flat).select(EVENTS.names()).match_to_schema(EVENTS)


def traces(rows: Rows, header: Header, found: Found) -> pl.DataFrame:
    """A batch of traces: `TRACES`, one row per trace in the order of the file.

    A trace without a name is called by its `identity:id` or else by its place in the file.
    """
    flat = _without_odd_verdicts(_attributes(rows, found), found)
    keys = {header.key(standard): column for standard, column in TRACE_KEYS.items()}
    columns = _columns(flat, keys, len(rows.ends))
    identity = _columns(flat, {header.key("identity:id"): "id"}, len(rows.ends))["id"]
    number = pl.int_range(rows.first, rows.first + len(rows.ends))
    return (
        columns.with_columns(
            number.alias("trace"),
            pl.col("case_id").is_null().alias("unnamed"),
            pl.coalesce("case_id", identity, pl.format("trace {}", number + 1)).alias("case_id"),
            _json(flat, list(keys), len(rows.ends)).alias("case_attributes"),
        )
        .select(TRACES.names())
        .match_to_schema(TRACES)
    )


def _without_odd_verdicts(flat: pl.DataFrame, found: Found) -> pl.DataFrame:
    """A verdict that is none of CASE_STATUS becomes a further attribute."""
    odd = (pl.col("key") == "procession:status") & ~pl.col("value").is_in(CASE_STATUS)
    met = flat.filter(odd)["value"]
    if met.is_empty():
        return flat
    found.add("status", met)
    return flat.with_columns(
        pl.when(odd).then(pl.lit("json")).otherwise("kind").alias("kind"),
        pl.when(odd).then(quoted(pl.col("value"))).otherwise("value").alias("value"),
    )


def _attributes(rows: Rows, found: Found) -> pl.DataFrame:
    """`ATTRIBUTES`, each key once per owner: where a file repeats one, the last counts."""
    ends = pl.Series("end", rows.ends, pl.Int64)
    counts = ends.diff().fill_null(ends[0]) // 3
    flat = pl.DataFrame(
        [
            pl.select(pl.int_range(len(ends)).repeat_by(counts).explode().drop_nulls()).to_series(),
            pl.Series(rows.flat[0::3], dtype=pl.String),
            pl.Series(rows.flat[1::3], dtype=pl.String),
            pl.Series(rows.flat[2::3], dtype=pl.String),
        ],
        schema=ATTRIBUTES,
    )
    valueless = pl.col("value").is_null() & ~pl.col("kind").is_in(["list", "container", "nested"])
    broken = flat.select(pl.col("key").is_null() | valueless).to_series()
    if broken.any():
        found.add("broken", flat.filter(broken)["key"].fill_null("without a key"))
        flat = flat.filter(~broken)
    wrong = flat.filter(mistyped(pl.col("kind"), pl.col("value")))
    found.add("mistyped", wrong.select(pl.format("{} {} = {}", "kind", "key", "value")).to_series())
    one_of = pl.struct("owner", "key", pl.col("kind") == "json")
    repeated = flat.select(~one_of.is_last_distinct()).to_series()
    if not repeated.any():
        return flat
    found.add("repeated", flat.filter(repeated)["key"])
    return flat.filter(~repeated)


def _columns(flat: pl.DataFrame, keys: dict[str, str], height: int) -> pl.DataFrame:
    """The values of some keys as columns, one row per owner; null where absent or empty."""
    result = pl.DataFrame({"owner": pl.int_range(height, eager=True)})
    plain = flat.filter(pl.col("key").is_in(list(keys)) & (pl.col("kind") != "json"))
    by_key = plain.filter(pl.col("value") != "").partition_by("key", as_dict=True)
    for key, column in keys.items():
        part = by_key.get((key,))
        if part is None:
            result = result.with_columns(pl.lit(None, pl.String).alias(column))
        else:
            values = part.select("owner", pl.col("value").alias(column))
            result = result.join(values, on="owner", how="left", maintain_order="left")
    return result


def _joined(flat: pl.DataFrame, keys: Sequence[str], height: int) -> pl.Series:
    """The values of a classifier's keys joined by `+`; null where an owner has none of them."""
    found = _columns(flat, {key: f"part {index}" for index, key in enumerate(keys)}, height)
    parts = [pl.col(f"part {index}") for index in range(len(keys))]
    joined = pl.concat_str([part.fill_null("") for part in parts], separator="+")
    return found.select(
        pl.when(pl.any_horizontal(p.is_not_null() for p in parts)).then(joined)
    ).to_series()


def _json(flat: pl.DataFrame, without: list[str], height: int) -> pl.Series:
    """All attributes but the plain ones `without` as a JSON object per owner; null for none."""
    json, nested = pl.col("kind") == "json", pl.col("kind") == "nested"
    members = (
        flat.filter((~pl.col("key").is_in(without) & ~nested) | json)
        .select(
            "owner",
            (
                quoted(pl.col("key")) + pl.lit(": ") + scalar_json(pl.col("kind"), pl.col("value"))
            ).alias("member"),
        )
        .group_by("owner", maintain_order=True)
        .agg((pl.lit("{") + pl.col("member").str.join(", ") + pl.lit("}")).alias("json"))
    )
    owners = pl.DataFrame({"owner": pl.int_range(height, eager=True)})
    return owners.join(members, on="owner", how="left", maintain_order="left")["json"]


def _with_records(frame: pl.DataFrame, flat: pl.DataFrame) -> pl.DataFrame:
    if frame["reason"].is_null().all():
        return frame.with_columns(pl.lit(None, pl.String).alias("record"))
    rejected = frame.filter(pl.col("reason").is_not_null())["owner"]
    records = _json(flat.filter(pl.col("owner").is_in(rejected)), [], frame.height)
    return frame.with_columns(
        pl.when(pl.col("reason").is_not_null()).then(records.fill_null("{}")).alias("record")
    )
