"""Which column of a table holds what: by the names of the columns, then by their contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ingest.source import Note
from ingest.tables import column_names as names
from ingest.tables.date_formats import meaning
from ingest.tables.written_times import MISSING_WORDS
from miner.errors import InputError, UnknownNameError

CASE_PREFIX = "case:"
"""Columns of attributes of the case begin with it, as in XES logs saved as tables."""

LIFECYCLE_WORDS = frozenset(
    names.listed(
        "schedule scheduled assign assigned reassign start started begin resume resumed suspend "
        "suspended complete completed end finish finished abort aborted ate_abort pi_abort "
        "withdraw autoskip manualskip skip skipped cancel cancelled canceled fail failed timeout "
        "retry created ready reserved inprogress running executing waiting"
    )
)
CALLED_TIMES = (*names.TIMESTAMP, *names.COMPLETED, *names.START)
FEW_CASES = 5
"""So few cases of several rows in the sample prove nothing."""
MOST_ACTIVITIES = 500
"""A text with more distinct values in the sample is no name of an activity, if names do not say."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, SQL for its values, and their DuckDB type."""

    name: str
    sql: str
    type: str = "VARCHAR"
    repeated: bool = False
    """Whether the file gives several columns this name, and it was numbered."""


@dataclass(frozen=True)
class Roles:
    """The column of each role that has one, and why it is that."""

    columns: Mapping[str, Column]
    notes: tuple[Note, ...]
    given: frozenset[str] = frozenset()
    """Roles whose column was given, not guessed."""

    def __getitem__(self, role: str) -> Column | None:
        return self.columns.get(role)


def roles_of(
    columns: Sequence[Column],
    given: Mapping[str, str | None],
    sample: Callable[[], pl.DataFrame],
) -> Roles:
    """The columns of case, activity, timestamp and the rest, as given or guessed.

    `sample` gives rows of the table as text, with the columns in order; it is only called where
    names leave something open. UnknownNameError for a given column that does not exist; InputError
    if no column, or more than one, could be the case, the activity or the timestamp.
    """
    guess = _Guess(columns, sample)
    for role, name in given.items():
        if name is not None:
            guess.take(role, _column_named(columns, name), "")
    guess.case_by_name()
    guess.times_by_name()
    guess.activity_by_name()
    guess.others_by_name()
    guess.by_contents()
    guess.complain()
    told = frozenset(role for role, name in given.items() if name is not None)
    return Roles(guess.found, tuple(guess.notes), told)


def _column_named(columns: Sequence[Column], name: str) -> Column:
    for column in columns:
        if column.name == name:
            if column.repeated:
                raise InputError(
                    f"Several columns are named {name!r}.", hint="Rename all but one in the file."
                )
            return column
    raise UnknownNameError("column", name, [column.name for column in columns])


class _Guess:
    """What is known so far, and the steps that find more."""

    def __init__(self, columns: Sequence[Column], sample: Callable[[], pl.DataFrame]) -> None:
        self.columns = columns
        self.found: dict[str, Column] = {}
        self.notes: list[Note] = []
        self.unsure: dict[str, list[Column]] = {}
        self._read_sample = sample

    @cached_property
    def sample(self) -> dict[str, pl.Series]:
        frame = self._read_sample()
        missing = list(MISSING_WORDS)
        return {
            column.name: frame[:, i].set(frame[:, i].str.to_lowercase().is_in(missing), None)
            for i, column in enumerate(self.columns)
        }

    def take(self, role: str, column: Column, why: str) -> None:
        self.found[role] = column
        if why:
            self.notes.append(Note(role, f"column {column.name!r}, {why}"))

    def free(self) -> list[Column]:
        """Columns without a role that could hold something of an event."""
        taken = {column.name for column in self.found.values()}
        return [
            column
            for column in self.columns
            if column.name not in taken and not column.name.startswith(CASE_PREFIX)
        ]

    def named(self, known: Sequence[str]) -> list[Column]:
        """Free columns with one of these names, preferred names first."""
        rank = {name: i for i, name in enumerate(reversed(known))}
        matching = [column for column in self.free() if names.normalised(column.name) in rank]
        return sorted(matching, key=lambda column: -rank[names.normalised(column.name)])

    # By name

    def case_by_name(self) -> None:
        if "case" in self.found:
            return
        for column in self.columns:
            if names.normalised(column.name) == names.CASE[0]:
                return self.take("case", column, "by its name")
        if found := self.named(names.CASE):
            self._refuse_twins("case", found)
            return self.take("case", found[0], "by its name")
        objects = [column for column in self.free() if names.is_object_key(column.name)]
        objects = [column for column in objects if self._could_be_case(column)]
        if len(objects) == 1:
            return self.take("case", objects[0], "by its name, and because its values repeat")
        self.unsure["case"] = objects
        return None

    def _could_be_case(self, column: Column) -> bool:
        values = self.sample[column.name]
        filled = values.drop_nulls()
        if len(filled) <= len(values) / 2 or self._are_times(column):
            return False
        return len(values) < 10 or 1 < filled.n_unique() < 0.95 * len(filled)

    def _refuse_twins(self, role: str, found: list[Column]) -> None:
        """Names that differ in case or accents only give no reason to prefer one."""
        first = names.normalised(found[0].name)
        if found[0].repeated:
            raise InputError(
                f"Several columns are named {found[0].name!r}.", hint="Rename all but one of them."
            )
        if len(found) > 1 and names.normalised(found[1].name) == first:
            raise _undecided(role, found[:2])

    def times_by_name(self) -> None:
        start = self.found.get("start") or self._first_times(names.START)
        ends = self._first_times(names.COMPLETED)
        if "timestamp" not in self.found:
            stamp = (ends if start else None) or self._first_times(names.TIMESTAMP) or ends or start
            if stamp is None:
                return
            self.take("timestamp", stamp, "by its name")
        if start and "start" not in self.found and start.name != self.found["timestamp"].name:
            self.take("start", start, "by its name")

    def _first_times(self, known: Sequence[str]) -> Column | None:
        """The first column of these names whose values are times that differ within cases."""
        candidates = [column for column in self.named(known) if self._are_times(column)]
        candidates = [column for column in candidates if self._varies_in_cases(column)]
        if candidates:
            self._refuse_twins("timestamp", candidates)
        return candidates[0] if candidates else None

    def activity_by_name(self) -> None:
        if "activity" in self.found:
            return
        for known in (names.ACTIVITY, names.MAYBE_ACTIVITY):
            found = [column for column in self.named(known) if self._could_be_activity(column)]
            if known is names.MAYBE_ACTIVITY:
                found = [c for c in found if not self._is_lifecycle(c)]
            if found:
                self._refuse_twins("activity", found)
                return self.take("activity", found[0], "by its name")
        return None

    def _could_be_activity(self, column: Column) -> bool:
        filled = self.sample[column.name].drop_nulls()
        if filled.is_empty() or self._are_times(column):
            return len(self.sample[column.name]) == 0
        numbers = filled.cast(pl.Float64, strict=False).null_count() == 0
        return not (numbers and filled.n_unique() == len(filled) > 2)

    def others_by_name(self) -> None:
        if "lifecycle" not in self.found:
            if found := self.named(names.LIFECYCLE):
                self.take("lifecycle", found[0], "by its name")
            elif found := [c for c in self.named(names.MAYBE_LIFECYCLE) if self._is_lifecycle(c)]:
                self.take("lifecycle", found[0], "by its name and its values")
        if "resource" not in self.found and (found := self.named(names.RESOURCE)):
            self.take("resource", found[0], "by its name")
        for role, known in names.OWN.items():
            if role in self.found:
                continue
            found = self.named(known)
            if role == "position":
                found += [column for column in self.free() if column.name == ".order"]
            if role in ("position", "attempt"):
                found = [column for column in found if self._are_whole_numbers(column)]
            if role == "case_status":
                found += [c for c in self.columns if c.name == f"{CASE_PREFIX}status"]
            if found:
                self.take(role, found[0], "by its name")

    # By contents

    def by_contents(self) -> None:
        if "timestamp" not in self.found:
            self._take_only("timestamp", [c for c in self.free() if self._are_dates(c)])
        if "case" not in self.found and "timestamp" in self.found:
            keys = [column for column in self.free() if self._repeats(column)]
            likely = [column for column in keys if names.words(column.name)[-1:] == ["id"]]
            self._take_only("case", self.unsure.get("case") or likely or self._most_distinct(keys))
        if "activity" not in self.found and "case" in self.found:
            self._take_only("activity", [c for c in self.free() if self._reads_as_activity(c)])

    def _take_only(self, role: str, candidates: list[Column]) -> None:
        if len(candidates) == 1:
            self.take(role, candidates[0], "by its contents")
        else:
            self.unsure[role] = candidates

    def _most_distinct(self, columns: list[Column]) -> list[Column]:
        """Of two columns, one of which must be the activity, the one with clearly more values."""
        counts = {column.name: self.sample[column.name].n_unique() for column in columns}
        ordered = sorted(columns, key=lambda column: -counts[column.name])
        if len(ordered) != 2 or "activity" in self.found:
            return columns
        first, second = (counts[column.name] for column in ordered)
        return ordered[:1] if first >= 1.5 * second else columns

    def _repeats(self, column: Column) -> bool:
        """Whether values are as many and as frequent as those of cases are."""
        filled = self.sample[column.name].drop_nulls()
        distinct = filled.n_unique()
        if len(filled) < len(self.sample[column.name]) or self._are_times(column):
            return False
        activity = self.found.get("activity")
        more = activity is None or distinct > self.sample[activity.name].n_unique()
        return more and max(2, len(filled) / 200) <= distinct <= 0.7 * len(filled)

    def _reads_as_activity(self, column: Column) -> bool:
        filled = self.sample[column.name].drop_nulls()
        if filled.is_empty() or self._are_times(column):
            return False
        words = filled.cast(pl.Float64, strict=False).null_count() == len(filled)
        some = 2 <= filled.n_unique() <= min(MOST_ACTIVITIES, len(filled) / 2)
        return words and some and self._varies_in_cases(column)

    def _varies_in_cases(self, column: Column) -> bool:
        """Whether some case of the sample has several values, or none has several rows."""
        case = self.found.get("case")
        if case is None:
            return True
        rows = pl.DataFrame({"case": self.sample[case.name], "value": self.sample[column.name]})
        cases = rows.drop_nulls().group_by("case").agg(pl.len(), pl.col("value").n_unique())
        several = cases.filter(pl.col("len") > 1)
        return len(several) < FEW_CASES or bool((several["value"] > 1).any())

    def _are_times(self, column: Column) -> bool:
        """Whether most values read as times; numbers do if they are as large as epochs are."""
        if column.type.startswith(("TIMESTAMP", "DATE")):
            return True
        return self._share_of_times(column, numbers=True) >= 0.5

    def _are_dates(self, column: Column) -> bool:
        """Whether nearly all values are written as dates, as far as nothing but them can tell."""
        if column.type.startswith(("TIMESTAMP", "DATE")):
            return True
        return self._share_of_times(column, numbers=False) >= 0.9

    def _share_of_times(self, column: Column, *, numbers: bool) -> float:
        filled = self.sample[column.name].drop_nulls()
        if filled.is_empty():
            return 0.5 if numbers else 0.0  # nothing speaks against the name
        shapes = filled.str.strip_chars().str.to_lowercase().str.replace_all("[0-9]", "0")
        counts = shapes.value_counts(name="rows").rows()
        long = numbers and 8
        read = sum(rows for shape, rows in counts if _is_time(shape, long))
        return float(read / len(filled))

    def _is_lifecycle(self, column: Column) -> bool:
        values = self.sample[column.name].drop_nulls().str.to_lowercase().unique()
        known = sum(value.strip() in LIFECYCLE_WORDS for value in values)
        return 0 < known >= 0.8 * len(values)

    def _are_whole_numbers(self, column: Column) -> bool:
        filled = self.sample[column.name].drop_nulls()
        return filled.cast(pl.Int64, strict=False).null_count() == 0

    def complain(self) -> None:
        """InputError for what is needed and was not found."""
        needed = [role for role in ("timestamp", "case", "activity") if role not in self.found]
        for role in needed:
            if len(candidates := self.unsure.get(role, [])) > 1:
                raise _undecided(role, candidates)
        if "timestamp" in needed and (called := self.named(CALLED_TIMES)):
            raise self._no_times(called[0])
        if needed:
            shown = ", ".join(repr(column.name) for column in self.columns[:30])
            raise InputError(
                f"None of the columns looks like the {needed[0]}: {shown}.",
                hint=f"Name it with --{needed[0]} COLUMN. If these are no names, the file has no "
                "line of column names: add one.",
            )

    def _no_times(self, column: Column) -> InputError:
        values = self.sample[column.name].drop_nulls()
        example = f", for example {values[0][:80]!r}" if len(values) else ""
        return InputError(
            f"The values in column {column.name!r} cannot be read as times{example}.",
            hint="Name the column with the times: --timestamp COLUMN.",
        )


def _is_time(shape: str, shortest_number: int) -> bool:
    if shape.replace(".", "", 1).strip("0") == "":
        return 0 < shortest_number <= len(shape.split(".")[0])
    return meaning(shape) is not None


def _undecided(role: str, candidates: Sequence[Column]) -> InputError:
    shown = ", ".join(repr(column.name) for column in candidates[:10])
    return InputError(
        f"More than one column could be the {role}: {shown}.",
        hint=f"Name the right one with --{role} COLUMN.",
    )
