"""Each sample log read by means of its own, so that no reader of the project is trusted here."""

import gzip
from datetime import datetime
from io import StringIO

import polars as pl
import pytest
from lxml import etree

from sample_logs.catalogue import SampleLog, catalogue

XES = "{http://www.xes-standard.org/}"
INSTANT = pl.Datetime("ms", "UTC")


@pytest.fixture(scope="session")
def samples() -> dict[str, SampleLog]:
    return {sample.name: sample for sample in catalogue()}


@pytest.fixture(scope="session")
def orders(samples: dict[str, SampleLog]) -> pl.DataFrame:
    """One row per activity instance."""
    return pl.read_csv(samples["order_to_cash"].path).with_columns(
        started_at=pl.col("start_time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"),
        completed_at=pl.col("end_time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"),
    )


@pytest.fixture(scope="session")
def hires(samples: dict[str, SampleLog]) -> pl.DataFrame:
    """One row per activity instance; the end of a running one is null."""
    sample = samples["employee_onboarding"]
    text = sample.path.read_bytes().decode(sample.format["encoding"])
    rows = pl.read_csv(StringIO(text), separator=sample.format["delimiter"])
    words = ("case", "activity", "resource")
    return rows.with_columns(
        **{
            new: pl.col(sample.options[word])
            for word, new in zip(words, ("case_id", "activity", "resource"), strict=True)
        },
        **{
            new: pl.col(sample.options[word])
            .str.to_datetime("%d.%m.%Y %H:%M", time_zone=sample.options["timezone"])
            .dt.convert_time_zone("UTC")
            for word, new in (("start", "started_at"), ("timestamp", "completed_at"))
        },
    )


@pytest.fixture(scope="session")
def claims(samples: dict[str, SampleLog]) -> pl.DataFrame:
    """One row per lifecycle transition, with the status of the claim."""
    rows = []
    with gzip.open(samples["insurance_claims"].path) as file:
        for _, trace in etree.iterparse(file, tag=f"{XES}trace"):
            about = _values(trace)
            for event in trace.iterchildren(f"{XES}event"):
                values = _values(event)
                rows.append(
                    {
                        "case_id": about["concept:name"],
                        "status": about["status"],
                        "activity": values["concept:name"],
                        "instance": values["concept:instance"],
                        "lifecycle": values["lifecycle:transition"],
                        "timestamp": datetime.fromisoformat(values["time:timestamp"]),
                        "resource": values.get("org:resource"),
                    }
                )
    return pl.DataFrame(rows, schema_overrides={"timestamp": INSTANT}, infer_schema_length=None)


@pytest.fixture(scope="session")
def runs(samples: dict[str, SampleLog]) -> pl.DataFrame:
    """One row per lifecycle transition, in the order of the file."""
    return pl.read_parquet(samples["nightly_pipeline"].path)


@pytest.fixture(scope="session")
def deliveries(samples: dict[str, SampleLog]) -> pl.DataFrame:
    """One row per line of the stream."""
    lines = pl.read_ndjson(samples["payment_saga"].path, infer_schema_length=None)
    instant = pl.col("timestamp").str.to_datetime("%+").dt.convert_time_zone("UTC")
    return lines.with_columns(timestamp=instant).with_row_index("line")


@pytest.fixture(scope="session")
def sagas(deliveries: pl.DataFrame) -> pl.DataFrame:
    """One row per event, each at its first delivery."""
    return deliveries.unique("event_id", keep="first", maintain_order=True)


def _values(element: etree._Element) -> dict[str, str]:
    return {each.get("key"): each.get("value") for each in element if each.get("key")}
