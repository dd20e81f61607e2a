"""What sample logs there are, and what is known about each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class SampleModel:
    """A modelled workflow of a sample log, in force from one day until another (inclusive)."""

    path: Path
    version: str
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class Truth:
    """Something the simulation put into a log, as exact as it can be counted in the file.

    `kind` is bottleneck, drift, bad_resource, rework, deviation, working_hours, duplicates,
    late_events, retries, interventions or compensations; the keys of `values` depend on it.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleLog:
    """A sample log: where it is, how to read it, and what is in it.

    `options` are those of the source `source`; `format` says how the file is written, for people.
    `counts` has at least `cases`, `events` (lifecycle transitions, duplicates left out: a row with
    start and end holds two), `activities`, `duplicates`, `late_events` and `open_cases`.
    """

    name: str
    process: str
    title: str
    description: str
    owner: str
    path: Path
    source: str
    options: dict[str, str]
    format: dict[str, str]
    models: tuple[SampleModel, ...]
    counts: dict[str, int]
    truths: tuple[Truth, ...]

    def truths_of(self, kind: str) -> list[dict[str, Any]]:
        """The values of every truth of that kind, in the order of the catalogue."""
        return [truth.values for truth in self.truths if truth.kind == kind]


def catalogue(folder: Path = FOLDER) -> list[SampleLog]:
    """The sample logs in `folder`, by default those that come with the project."""
    with (folder / "catalogue.toml").open("rb") as file:
        return [_sample_log(entry, folder) for entry in tomllib.load(file)["log"]]


def _sample_log(entry: dict[str, Any], folder: Path) -> SampleLog:
    about = ("name", "process", "title", "description", "owner", "source")
    return SampleLog(
        **{key: entry[key] for key in about},
        path=folder / entry["file"],
        options=entry["options"],
        format=entry["format"],
        counts=entry["counts"],
        models=tuple(
            SampleModel(
                path=folder / model["file"],
                version=model["version"],
                valid_from=model.get("valid_from"),
                valid_until=model.get("valid_until"),
            )
            for model in entry["model"]
        ),
        truths=tuple(
            Truth(truth["kind"], {key: value for key, value in truth.items() if key != "kind"})
            for truth in entry["truth"]
        ),
    )
