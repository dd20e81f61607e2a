"""Which modelled workflow each case is held against."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from miner.errors import InputError, ModelError, UnknownNameError
from miner.eventlog import audit
from miner.eventlog.log import EventLog
from miner.eventlog.schema import INSTANT
from miner.eventlog.store import EventStore
from miner.model.process_model import ProcessModel
from miner.model.reading import read_model, read_model_file
from miner.model.soundness import Soundness, soundness
from miner.model.translation import Remark, Translation
from miner.model.workflow_net import WorkflowNet

NAMES = pl.Schema(
    {
        "label": pl.String(),
        "activity": pl.String(),
        "matched_by": pl.String(),
        "suggestion": pl.String(),
    }
)
_WORKFLOW = pl.Schema(
    {
        "model": pl.UInt64(),
        "process_version": pl.String(),
        "versions": pl.String(),
        "valid_from": INSTANT,
        "valid_until": INSTANT,
    }
)


@dataclass(frozen=True)
class Workflow:
    """A modelled workflow in the names of the log."""

    model: ProcessModel
    """Its labels are activities of the log where they could be matched."""
    version: str | None
    valid_from: datetime | None
    remarks: tuple[Remark, ...]
    """What the net does not say exactly."""
    names: pl.DataFrame
    """`NAMES`: which activity each name of the model means; null where nobody knows."""

    @cached_property
    def key(self) -> int:
        """What results about it are kept under: the beginning of the digest of its net."""
        digest = hashlib.sha256(repr(self.model.net).encode()).digest()
        return int.from_bytes(digest[:8], "big")

    @cached_property
    def soundness(self) -> Soundness:
        """Whether the model can always end, and end properly."""
        return soundness(self.model.net)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The names in the model that mean no activity of the log, as far as anybody knows."""
        return tuple(self.names.filter(pl.col("activity").is_null())["label"])


@dataclass(frozen=True)
class Workflows:
    """The modelled workflows that a log is held against, and what could not be used."""

    workflows: tuple[Workflow, ...]
    by_version: bool
    """Whether each case is held against the version it ran on, or all against the only one."""
    unusable: tuple[str, ...] = ()
    """A sentence for each definition that is no model."""

    @property
    def models(self) -> tuple[Workflow, ...]:
        """One workflow of each net: versions may differ in what no net says."""
        return tuple({each.key: each for each in self.workflows}.values())

    def scopes(self) -> pl.DataFrame:
        """Which cases each is for, by version and by the time they were started."""
        rows: list[tuple[object, ...]] = []
        if not self.by_version:
            rows += [(each.key, None, "any", None, None) for each in self.workflows]
            return pl.DataFrame(rows, schema=_WORKFLOW, orient="row")
        named = [each for each in self.workflows if each.version is not None]
        unnamed = [each for each in self.workflows if each.version is None]
        rows += [(each.key, each.version, "this", None, None) for each in named]
        kind = "any" if unnamed else "unknown"
        valid = _one_after_another(unnamed) or unnamed[-1:] or _one_after_another(named)
        for number, each in enumerate(valid):
            begin = each.valid_from if number else None
            until = valid[number + 1].valid_from if number + 1 < len(valid) else None
            rows.append((each.key, None, kind, begin, until))
        return pl.DataFrame(rows, schema=_WORKFLOW, orient="row")


def _one_after_another(workflows: Sequence[Workflow]) -> list[Workflow]:
    """The workflows, if it is known which was valid when; else none."""
    return list(workflows) if all(each.valid_from for each in workflows[1:]) else []


def own_versions(log: EventLog) -> Workflows:
    """The modelled workflow of each version, for the cases that ran on it.

    A definition without a version is for the cases of versions that nobody defined, and where there
    is none, the others are for the cases that do not know theirs: the last one that was valid when
    the case began, if that is known. Raises InputError when the process has no definition that
    can be used.
    """
    found, unusable = _definitions(log)
    if not found:
        raise _nothing_modelled(log, unusable)
    return Workflows(tuple(found), by_version=True, unusable=tuple(unusable))


def of_version(log: EventLog, version: str | None) -> Workflows:
    """One version for all cases, whatever they ran on; null is the newest.

    Raises UnknownNameError for a version that is not defined, ModelError where it is no model.
    """
    found, unusable = _definitions(log)
    if not found:
        raise _nothing_modelled(log, unusable)
    if version is None:
        return Workflows((found[-1],), by_version=False)
    known = {each.version: each for each in found if each.version is not None}
    if version not in known:
        raise UnknownNameError("version", version, known)
    return Workflows((known[version],), by_version=False)


def of_file(log: EventLog, path: Path) -> Workflows:
    """The model in a file, for all cases; raises ModelError where it is none."""
    names = _Names.of(log)
    read = read_model_file(path, seen=names.tell_of)
    return Workflows((_fitted(read, names),), by_version=False)


def of_model(log: EventLog, model: ProcessModel) -> Workflows:
    """One model for all cases."""
    return Workflows((_fitted(Translation(model), _Names.of(log)),), by_version=False)


def confirm_name(store: EventStore, process: str, label: str, activity: str) -> None:
    """Say that a name in the models of a process means an activity of its log.

    What was said of the name before is replaced; the audit trail keeps both. Raises
    UnknownNameError for an activity that the log does not have.
    """
    store.log(process).known("activity", activity)
    values = {"process": process, "label": label}
    said = values | {
        "activity": activity,
        "by": audit.actor(),
        "now": datetime.now(UTC).replace(tzinfo=None, microsecond=0),
    }
    with store.write() as writer, writer.transaction():
        writer.connection.execute(_FORGET_NAME, values)
        writer.connection.execute(_CONFIRM_NAME, said)
    audit.note(store.folder, "name", process=process, label=label, activity=activity)


_OF = "(select process_key from process where process = $process)"
_FORGET_NAME = f"delete from model_name where process_key = {_OF} and label = $label"
_CONFIRM_NAME = f"""
insert into model_name
select {_OF}, $label, $activity, $by, $now::timestamp
"""


def _nothing_modelled(log: EventLog, unusable: Sequence[str]) -> InputError:
    if unusable:
        return ModelError(unusable[0])
    return InputError(
        f"No modelled workflow of {log.process!r} is known.",
        hint=f"Add one: procession model add {log.process} FILE",
    )


def _definitions(log: EventLog) -> tuple[list[Workflow], list[str]]:
    """The newest usable definition of each version, oldest version first."""
    names = _Names.of(log)
    found: dict[object, Workflow] = {}
    refused: dict[object, str] = {}
    for row in log.query(_DEFINITIONS, _DEFINITION, process=log.process).iter_rows(named=True):
        version = row["version"]
        key = version if version is not None else (row["valid_from"], row["number"])
        if key in found:
            continue
        try:
            read = read_model(
                row["text"],
                _language(row["format"]),
                name=log.process,
                version=version,
                seen=names.tell_of,
            )
        except ModelError as error:
            refused.setdefault(key, f"Version {version or 'unknown'}: {error.message}")
            continue
        found[key] = _fitted(read, names, row["valid_from"])
    kept = list(reversed(found.values()))
    return kept, [text for key, text in refused.items() if key not in found]


def _language(format: str) -> str:
    """Airflow's definitions come in several shapes, each named after where it was read."""
    return "airflow" if format.startswith("airflow") else format


_DEFINITION = pl.Schema(
    {
        "version": pl.String(),
        "format": pl.String(),
        "text": pl.String(),
        "valid_from": INSTANT,
        "number": pl.Int64(),
    }
)

_DEFINITIONS = """
select version, format, text, valid_from, row_number() over () as number
from definition
where process = $process
order by valid_from desc nulls last, length(version) desc, version desc, number desc
"""


@dataclass(frozen=True)
class _Names:
    """The activities of a log, their ids, and what a person said that a name means."""

    activities: Collection[str]
    by_id: Mapping[str, str]
    without_id: Collection[str]
    confirmed: Mapping[str, str]

    @classmethod
    def of(cls, log: EventLog) -> _Names:
        pairs = pl.Schema({"name": pl.String(), "activity": pl.String()})
        known = log.query(
            "select activity_id as name, activity from activity order by activity", pairs
        )
        said = log.query("select label as name, activity from model_name order by label", pairs)
        ids = known.drop_nulls("name")
        return cls(
            frozenset(known["activity"]),
            dict(zip(ids["name"], ids["activity"], strict=True)),
            frozenset(known.filter(pl.col("name").is_null())["activity"]),
            dict(zip(said["name"], said["activity"], strict=True)),
        )

    def meant(self, label: str, element_id: str | None) -> tuple[str | None, str | None]:
        """The activity that a name in a model means, and how that is known."""
        if label in self.confirmed:
            return self.confirmed[label], "confirmed"
        if label in self.activities:
            return label, "name"
        if element_id is not None and element_id in self.by_id:
            return self.by_id[element_id], "id"
        return None, None

    def tell_of(self, label: str, element_id: str) -> Literal["id", "name"] | None:
        """By what the log tells of an element; not by the name of what has another id."""
        if element_id in self.by_id:
            return "id"
        return "name" if label in self.confirmed or label in self.without_id else None

    def nearest(self, label: str) -> str | None:
        """The activity whose name looks most like `label`; a suggestion, nothing more."""
        folded = {activity.casefold(): activity for activity in sorted(self.activities)}
        near = get_close_matches(label.casefold(), folded, n=1, cutoff=0.5)
        return folded[near[0]] if near else None


def _fitted(
    translation: Translation, names: _Names, valid_from: datetime | None = None
) -> Workflow:
    model = translation.model
    rows: dict[str, tuple[str, str | None, str | None, str | None]] = {}
    for transition in model.net.transitions:
        label = transition.label
        if label is not None and label not in rows:
            activity, how = names.meant(label, transition.element_id)
            suggestion = None if activity else names.nearest(label)
            rows[label] = (label, activity, how, suggestion)
    named = pl.DataFrame(list(rows.values()), schema=NAMES, orient="row")
    meaning = {label: activity or label for label, activity, _, _ in rows.values()}
    if all(label == activity for label, activity in meaning.items()):
        fitted = model
    else:
        # The tree has the names of the model, and is not needed where there is a net.
        fitted = replace(model, net=_renamed(model.net, meaning), tree=None)
    return Workflow(fitted, model.version, valid_from, translation.remarks, named)


def _renamed(net: WorkflowNet, meaning: Mapping[str, str]) -> WorkflowNet:
    return replace(
        net,
        transitions=tuple(
            each if each.label is None else replace(each, label=meaning[each.label])
            for each in net.transitions
        ),
    )
