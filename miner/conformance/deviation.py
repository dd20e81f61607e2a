"""The one table of deviations, from alignments and from rules alike."""

from __future__ import annotations

import polars as pl

from miner.eventlog.schema import DURATION, INSTANT

KINDS = (
    "skipped",  # expected and not done; also: a rule asked for it
    "extra",  # done and not expected; also: a rule forbids it
    "swapped",  # done, in another order than modelled
    "repeated",  # done again where the model has it once
    "replaced",  # done in the place of `expected_after`'s successor
    "too_late",
    "too_early",  # before what has to come first, or sooner after it than allowed
    "same_person",
    "wrong_role",
)

DEVIATION = pl.Schema(
    {
        "case_id": pl.String(),
        "number": pl.Int32(),  # activity instance in its case; null: none was done
        "kind": pl.Enum(KINDS),
        "activity": pl.String(),
        "expected_after": pl.String(),  # the activity it should have come after, if any
        "rule": pl.String(),  # name of the rule; null: the model itself
        "resource": pl.String(),
        "timestamp": INSTANT,  # completion of the instance, else its start; null: none was done
        "version": pl.String(),  # process_version of the case
        # What it added: the time over a limit (below zero: sooner than allowed by as much), for
        # work not expected the time since the completion before it. Null: unknown.
        "added_time": DURATION,
    }
)
