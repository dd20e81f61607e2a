from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl
import pytest

from ingest.sources.xes import XesFile

COUNTS = {
    "sepsis": (15_214, 1_050, 16),
    "bpic2012": (262_200, 13_087, 24),
    "helpdesk": (21_348, 4_580, 14),
    "bpic2013_incidents": (65_533, 7_554, 4),
    "bpic2019_one_per_variant": (338_247, 11_973, 42),
}


@pytest.fixture(scope="module", params=COUNTS)
def log(request: pytest.FixtureRequest, shared_logs: Path) -> tuple[str, Path, pl.DataFrame]:
    path = shared_logs / "real" / f"{request.param}.xes.gz"
    return request.param, path, pl.concat(XesFile(str(path)).read()).sort("position")


def test_real_logs_have_the_events_cases_and_activities_they_are_known_for(
    log: tuple[str, Path, pl.DataFrame],
) -> None:
    name, _, frame = log
    assert frame["reason"].null_count() == frame.height
    counts = (frame.height, frame["case_id"].n_unique(), frame["activity"].n_unique())
    assert counts == COUNTS[name]


def test_real_logs_are_the_same_to_pm4py(log: tuple[str, Path, pl.DataFrame]) -> None:
    _, path, frame = log
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas
        import pm4py

        read = pm4py.read_xes(str(path), variant="iterparse", show_progress_bar=False)
        times = pandas.to_datetime(read["time:timestamp"], utc=True).dt.tz_localize(None)
    columns = {
        "case_id": "case:concept:name",
        "activity": "concept:name",
        "lifecycle": "lifecycle:transition",
        "resource": "org:resource",
    }
    for column, key in columns.items():
        expected = pl.Series(read[key].astype("str")).to_list() if key in read else [None]
        ours = frame[column].to_list() if key in read else frame[column].unique().to_list()
        assert ours == expected, column
    assert frame["timestamp"].equals(
        pl.Series(times.astype("datetime64[us]")).cast(pl.Datetime("us"))
    )
    expected_keys = {key for key in read if ":" not in key and key not in columns.values()}
    found = (
        frame["attributes"]
        .drop_nulls()
        .str.json_decode(pl.Struct({key: pl.String() for key in expected_keys}))
        if expected_keys
        else None
    )
    for key in expected_keys:
        assert found is not None
        assert found.struct.field(key).count() == read[key].count(), key
