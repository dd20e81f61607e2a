from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.sources.parquet import ParquetFile
from miner.errors import UnknownNameError
from tests.ingest.reading import file, read, refusal, rejected

AT = datetime(2026, 1, 5, 8, 30, 0, 123_456)


def saved(folder: Path, name: str = "log.parquet", **columns: object) -> str:
    pq.write_table(pa.table(columns), folder / name)
    return str(folder / name)


def log(folder: Path, times: object, **columns: object) -> str:
    return saved(folder, case_id=["c1"], activity=["A"], timestamp=times, **columns)


@pytest.mark.parametrize(
    ("times", "instant"),
    [
        (pa.array([AT], pa.timestamp("us")), AT),
        (pa.array([AT], pa.timestamp("us", "Europe/Berlin")), AT),
        (pa.array([AT], pa.timestamp("ns")), AT),
        (pa.array([1767601800123456789], pa.timestamp("ns", "UTC")), AT),
        (pa.array([AT.replace(microsecond=0)], pa.timestamp("s")), AT.replace(microsecond=0)),
        (pa.array([date(2026, 1, 5)]), datetime(2026, 1, 5)),
        (pa.array([1767601800]), AT.replace(microsecond=0)),
        (pa.array([1767601800.5]), AT.replace(microsecond=500_000)),
        (pa.array([1767601800123456789]), AT),
        (pa.array(["2026-01-05T09:30:00.123456+01:00"]), AT),
        (pa.array(["2026-01-05T09:30:00.123456+01:00"]).dictionary_encode(), AT),
    ],
)
def test_times_of_any_type_are_instants(tmp_path: Path, times: pa.Array, instant: datetime) -> None:
    assert read(ParquetFile(log(tmp_path, times)))["timestamp"].to_list() == [instant]


def test_times_without_a_zone_get_the_one_given(tmp_path: Path) -> None:
    path = log(tmp_path, pa.array([AT], pa.timestamp("us")))
    source = ParquetFile(path, timezone="America/New_York")
    assert read(source)["timestamp"][0] == AT.replace(hour=13)
    aware = log(tmp_path, pa.array([AT.replace(tzinfo=UTC)], pa.timestamp("us", "UTC")))
    assert read(ParquetFile(aware, timezone="America/New_York"))["timestamp"][0] == AT


def test_numbers_that_are_names_have_no_fraction(tmp_path: Path) -> None:
    path = saved(tmp_path, case_id=[7, 2**53 + 1], activity=["A", "B"], timestamp=[AT, AT])
    assert read(ParquetFile(path))["case_id"].to_list() == ["7", str(2**53 + 1)]
    path = saved(tmp_path, case_id=[7.0, None], activity=["A", "B"], timestamp=[AT, AT])
    frame = read(ParquetFile(path))
    assert frame["case_id"].to_list() == ["7", None]
    assert rejected(frame)[0][0] == "no case: column 'case_id' is empty"


def test_bytes_without_a_type_are_text(tmp_path: Path) -> None:
    path = saved(tmp_path, case_id=[b"c1"], activity=["Prüfen".encode()], timestamp=[AT])
    assert read(ParquetFile(path)).select("case_id", "activity").row(0) == ("c1", "Prüfen")


def test_other_columns_are_attributes_of_their_types(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        [AT],
        amount=[12.5],
        count=[3],
        paid=[True],
        price=pa.array([Decimal("1.50")]),
        gone=pa.array([None], pa.string()),
        nothing=[float("nan")],
        items=[[{"sku": "a", "n": 1}]],
        due=pa.array([AT.replace(tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
        **{"case:region": ["North"], "case:size": [5]},
    )
    frame = read(ParquetFile(path))
    assert json.loads(frame["attributes"][0]) == {
        "amount": 12.5,
        "count": 3,
        "paid": True,
        "price": 1.5,
        "items": [{"sku": "a", "n": 1}],
        "due": "2026-01-05T08:30:00.123456Z",
    }
    assert json.loads(frame["case_attributes"][0]) == {"region": "North", "size": 5}


def test_a_log_without_other_columns_has_no_attributes(tmp_path: Path) -> None:
    frame = read(ParquetFile(log(tmp_path, [AT])))
    assert frame["attributes"].to_list() == [None]


def test_rows_that_cannot_be_used_are_rejected_as_json(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        case_id=["c1", None, " "],
        activity=["A", "B", "C"],
        timestamp=pa.array([datetime(9999, 12, 31), AT, AT], pa.timestamp("us")),
        n=[1, 2, None],
    )
    [first, second, third] = rejected(read(ParquetFile(path)))
    assert first[0].startswith("timestamp '9999-12-31")
    assert json.loads(second[1]) == {
        "activity": "B",
        "timestamp": "2026-01-05 08:30:00.123456",
        "n": 2,
    }
    assert third[0] == "no case: column 'case_id' is empty"


def test_rows_keep_their_order_and_start_and_end_share_a_place(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        case_id=["c1", "c1"],
        activity=["A", "B"],
        started_at=pa.array([AT, None], pa.timestamp("us")),
        completed_at=[AT, AT],
    )
    frame = read(ParquetFile(path)).sort("position", "lifecycle", descending=[False, True])
    assert frame.select("activity", "lifecycle", "position").rows() == [
        ("A", "start", 1),
        ("A", "complete", 1),
        ("B", "complete", 2),
    ]
    assert frame["instance_id"][0] == frame["instance_id"][1] is not None


def test_files_that_are_no_logs_are_refused(tmp_path: Path) -> None:
    whole = Path(log(tmp_path, [AT])).read_bytes()
    for content in (b"", b"PAR1", b"a,b,c\n1,2,3\n", whole[: len(whole) // 2], whole[:-4]):
        assert "Parquet" in refusal(ParquetFile(file(tmp_path, content, "broken.parquet")))
    empty = saved(tmp_path, case_id=pa.array([], pa.string()), activity=[], timestamp=[])
    assert "no rows" in refusal(ParquetFile(empty))
    assert "no file" in refusal(ParquetFile(str(tmp_path / "nothing.parquet")))
    with pytest.raises(UnknownNameError, match="actvity"):
        read(ParquetFile(log(tmp_path, [AT]), activity="actvity"))


def test_a_path_is_a_path_and_adds_no_columns(tmp_path: Path) -> None:
    folder = tmp_path / "region=north"
    folder.mkdir()
    frame = read(
        ParquetFile(saved(folder, "a[1]*.parquet", case_id=["c"], activity=["A"], timestamp=[AT]))
    )
    assert frame["attributes"].to_list() == [None]


def test_names_with_quotes_and_sql_are_inert(tmp_path: Path) -> None:
    nasty = "x\"; drop table t; --\n'"
    frame = read(ParquetFile(log(tmp_path, [AT], **{nasty: [nasty]})))
    assert json.loads(frame["attributes"][0]) == {nasty: nasty}


def test_a_log_without_times_is_refused(shared_logs: Path) -> None:
    log = shared_logs / "conformance" / "BPIC2013-incidents.parquet"
    assert "looks like the timestamp" in refusal(ParquetFile(str(log)))


def test_a_damaged_page_is_an_error(tmp_path: Path) -> None:
    path = Path(log(tmp_path, [AT], note=["x" * 1_000]))
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(bytes(content))
    assert "cannot be read" in refusal(ParquetFile(str(path)))
