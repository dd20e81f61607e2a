"""ISO 8601 timestamps as the event formats write them, many at a time."""

from __future__ import annotations

import polars as pl

from miner.eventlog.schema import INSTANT

ISO = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-5][0-9])(?:[.,]([0-9]+))?)?)?"
    r"\s?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)

INSTANTS = pl.Schema(
    {
        "timestamp": INSTANT,
        "reason": pl.String(),
        "naive": pl.Boolean(),
        "finer": pl.Boolean(),
    }
)


def instants(raw: pl.Series, zone: str) -> pl.DataFrame:
    """Text as instants; a time without an offset is local time in `zone`.

    Returns `INSTANTS`, one row per text in its order. `timestamp` is naive UTC and null where
    `reason` says why; `naive` marks times without an offset, `finer` times with digits below the
    microsecond, which are cut off. A date alone is its midnight, a time without seconds its full
    minute. A local time that a zone skips or has twice is nobody's guess and has a reason.

    Source: ISO 8601-1:2019 (calendar date and time of day), XML Schema 1.1 part 2, dateTime.
    """
    parts = (
        raw.str.strip_chars()
        .str.extract_groups(ISO)
        .struct.rename_fields(["day", "minute", "second", "fraction", "offset"])
        .struct.unnest()
    )
    fraction = pl.col("fraction").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    written = pl.concat_str(
        "day",
        pl.lit("T"),
        pl.col("minute").fill_null("00:00"),
        pl.lit(":"),
        pl.col("second").fill_null("00"),
    )
    read = parts.select(
        pl.lit(raw).alias("raw"),
        (
            written.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
            + pl.duration(microseconds=fraction.fill_null(0))
        ).alias("local"),
        _minutes(pl.col("offset")).alias("minutes"),
        pl.col("offset").is_null().alias("naive"),
        (pl.col("fraction").str.slice(6).str.strip_chars("0").str.len_chars() > 0)
        .fill_null(False)
        .alias("finer"),
    )
    return _resolved(read, zone)


def _minutes(offset: pl.Expr) -> pl.Expr:
    """Minutes east of Greenwich; null where there is no offset or it is beyond 14 hours."""
    digits = (
        offset.str.replace(":", "").str.slice(1).str.pad_end(4, "0").cast(pl.Int32, strict=False)
    )
    east = digits // 100 * 60 + digits % 100
    signed = pl.when(offset.str.starts_with("-")).then(-east).otherwise(east)
    known = pl.when((east <= 14 * 60) & (digits % 100 < 60)).then(signed)
    return pl.when(offset.is_in(["Z", "z", "UTC"])).then(pl.lit(0, pl.Int32)).otherwise(known)


def _resolved(read: pl.DataFrame, zone: str) -> pl.DataFrame:
    naive = pl.col("naive") & pl.col("local").is_not_null()
    if zone == "UTC" or not read.select(naive.any()).item():
        local_instant = pl.col("local")
    else:
        local_instant = (
            pl.col("local")
            .dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
            .dt.convert_time_zone("UTC")
            .dt.replace_time_zone(None)
        )
    minutes = pl.when("naive").then(0).otherwise("minutes")
    instant = (
        pl.when("naive")
        .then(local_instant)
        .otherwise(pl.col("local") - pl.duration(minutes=minutes))
        .cast(INSTANT)
    )
    return (
        read.with_columns(instant.alias("timestamp"))
        .select(
            "timestamp",
            pl.when(pl.col("timestamp").is_not_null())
            .then(None)
            .when(pl.col("raw").is_null())
            .then(pl.lit("no timestamp"))
            .when(naive)
            .then(pl.lit(f"the time does not exist, or exists twice, in {zone}: ") + pl.col("raw"))
            .otherwise(pl.lit("not a timestamp: ") + pl.col("raw"))
            .alias("reason"),
            naive.alias("naive"),
            "finer",
        )
        .match_to_schema(INSTANTS)
    )
