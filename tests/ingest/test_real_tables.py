from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ingest.sources.csv import CsvFile
from tests.ingest.reading import opened, rejected

REAL = {
    "kpi/patients.csv": {
        "case": "patient",
        "activity": "activity",
        "timestamp": "timestamp",
        "resource": "resource",
        "lifecycle": "status",
        "instance": "activity_instance",
    },
    "kpi/patients_act.csv": {
        "case": "patient",
        "activity": "activity",
        "timestamp": "complete",
        "start": "start",
        "resource": "resource",
    },
    "real/bpic2017_w.csv.gz": {
        "case": "case_id",
        "activity": "activity",
        "timestamp": "end_time",
        "start": "start_time",
        "resource": "resource",
    },
    "real/helpdesk_finale.csv.gz": {
        "case": "Case ID",
        "activity": "Activity",
        "timestamp": "Complete Timestamp",
        "resource": "Resource",
    },
    "real/receipt.csv.gz": {
        "case": "case:concept:name",
        "activity": "concept:name",
        "timestamp": "time:timestamp",
        "resource": "org:resource",
        "lifecycle": "lifecycle:transition",
        "instance": "concept:instance",
    },
    "real/servicenow_incidents.csv.gz": {
        "case": "number",
        "activity": "incident_state",
        "timestamp": "sys_updated_at",
        "resource": "sys_updated_by",
    },
    "quality/Credit-Distorted.csv.gz": {
        "case": "Case",
        "activity": "Activity",
        "timestamp": "Timestamp",
        "resource": "Resource",
    },
    "quality/Credit-Polluted.csv.gz": {
        "case": "Case",
        "activity": "Activity",
        "timestamp": "Timestamp",
        "resource": "Resource",
    },
}


ROLES = ("case", "activity", "timestamp", "start", "resource", "lifecycle", "instance")


ROWS = {
    "kpi/patients.csv": (21, 3),
    "kpi/patients_act.csv": (19, 3),
    "real/bpic2017_w.csv.gz": (481_708, 30_276),
    "real/helpdesk_finale.csv.gz": (21_348, 4_580),
    "real/receipt.csv.gz": (8_577, 1_434),
    "real/servicenow_incidents.csv.gz": (119_998, 20_769),
}


@pytest.mark.parametrize("log", REAL)
def test_the_columns_of_real_logs_are_guessed(shared_logs: Path, log: str) -> None:
    frame, notes = opened(CsvFile(str(shared_logs / log)))
    guessed = {role: text.split("'")[1] for role, text in notes.items() if role in ROLES}
    assert guessed == REAL[log]
    assert rejected(frame) == []
    if log in ROWS:
        assert (frame.height, frame["case_id"].n_unique()) == ROWS[log]


def test_the_day_comes_first_in_the_incidents_because_no_other_order_fits(
    shared_logs: Path,
) -> None:
    frame, notes = opened(CsvFile(str(shared_logs / "real/servicenow_incidents.csv.gz")))
    assert "day before month, because" in notes["timestamp"]
    assert frame["timestamp"][0] == datetime(2016, 2, 29, 1, 23)
