"""The same spans in each of the formats that they come in, and what is no such file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.otlp.formats import spans_of
from ingest.otlp.spans import SPAN
from ingest.sources.otlp import OtlpFile
from miner.errors import LogFormatError
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.ingest.spans import attributes, in_base64, protobuf, request, span, written

SPANS = [
    span("order", 1, at=0, lasts=9, kind=2, state="ot=th:8", order_id="Ö-1"),
    span(
        "charge", 2, 1, at=1, kind=3, error="no", exception=("E", 'said "no"'), many=["a", 1, 0.5]
    ),
    span("charge", 3, 1, at=3, kind=3, yes=True, share=0.25, map={"k": "v"}),
    span("open", 4, 1, at=4, lasts=None),
]


def bytes_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def test_json_and_protobuf_say_the_same() -> None:
    document = request(SPANS, service_version="7")
    expected = spans_of(bytes_of(document))
    assert expected.schema == SPAN and expected["reason"].null_count() == len(SPANS)
    assert spans_of(protobuf(document)).equals(expected)
    assert spans_of(bytes_of(in_base64(document))).equals(expected)
    assert spans_of(json.dumps(document, indent=2).encode()).equals(expected)
    assert spans_of(bytes_of({"result": document})).equals(expected)
    assert expected["name"].to_list() == ["order", "charge", "charge", "open"]
    assert expected["ended"].null_count() == 1
    assert json.loads(expected["attributes"][1]) == {"many": ["a", 1, 0.5]}


def test_enumerations_may_be_names_and_numbers_may_be_numbers() -> None:
    plain = span("order", 1, kind=2, error="no")
    named = plain | {
        "kind": "SPAN_KIND_SERVER",
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
        "startTimeUnixNano": int(plain["startTimeUnixNano"]),
        "traceId": plain["traceId"].upper(),
        "parentSpanId": "",
        "unknown": {"a": [1]},
    }
    assert spans_of(bytes_of(request([named]))).equals(spans_of(bytes_of(request([plain]))))


def test_messages_one_after_the_other_are_one_message() -> None:
    one, two = protobuf(request(SPANS[:2])), protobuf(request(SPANS[2:]))
    assert spans_of(one + two).equals(spans_of(protobuf(request(SPANS))))


BAD: dict[str, dict[str, Any]] = {
    "a span whose trace or span id is missing or zero": {"traceId": "00" * 16},
    "a span without the time at which it started": {"startTimeUnixNano": "0"},
    "a span without a name": {"name": ""},
}


@pytest.mark.parametrize("reason", BAD)
@pytest.mark.parametrize("packed", [False, True])
def test_a_span_that_is_none_goes_to_quarantine(tmp_path: Path, reason: str, packed: bool) -> None:
    document = request([span("good", 1), span("bad", 2) | BAD[reason]])
    path = tmp_path / "spans"
    path.write_bytes(protobuf(document) if packed else bytes_of(document))
    answered = answer(tmp_path, "load", "otlp", str(path), "--process", "p")
    assert (answered["new"], answered["rejected"]) == (2, 1)
    (row,) = answer(tmp_path, "rejected", "--process", "p")
    assert row["reason"] == reason and "0000000000000002" in row["record"]


def test_a_line_that_is_none_goes_to_quarantine_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [json.dumps(request([span("work", i, trace=i)])) for i in range(1, 30)]
    lines[7] = lines[7][:-5] + "}"
    lines[9] = '{"resourceSpans": {"not": "a list"}}'
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")
    answered = answer(tmp_path, "load", "otlp", str(path), "--process", "p")
    assert (answered["new"], answered["rejected"]) == (27 * 2, 2)


def test_a_trace_may_be_spread_over_a_file_and_the_file_packed(tmp_path: Path) -> None:
    whole = OtlpFile(written(tmp_path, request(SPANS)), case="order.id", workflow="root")
    spread = [request([each]) for each in reversed(SPANS)]
    path = written(tmp_path, *spread, name="spread.jsonl")
    packed = tmp_path / "spread.jsonl.gz"
    packed.write_bytes(gzip.compress(Path(path).read_bytes()))
    frames = [
        pl.concat(OtlpFile(str(each), case="order.id", workflow="root").frames()).sort("event_id")
        for each in (whole.path, path, packed)
    ]
    assert frames[0].equals(frames[1]) and frames[0].equals(frames[2])
    assert set(frames[0]["case_id"]) == {"Ö-1"} and set(frames[0]["process"]) == {"order"}


def test_what_spans_hide_is_told_with_the_load(tmp_path: Path) -> None:
    path = written(tmp_path, request([span("lost", 2, 77)]))
    loaded = load(OtlpFile(path), EventStore(tmp_path / "store"), process="p")
    assert [(each.kind, each.events) for each in loaded.limitations] == [("hidden", 1)]


def test_traces_saved_from_jaeger_are_read(tmp_path: Path) -> None:
    text = {"type": "string"}
    document = {
        "data": [
            {
                "traceID": "abc",
                "spans": [
                    {
                        "traceID": "abc", "spanID": "1", "operationName": "order", "references": [],
                        "startTime": 1_770_000_000_000_000, "duration": 2_000_000,
                        "tags": [
                            {"key": "span.kind", "value": "server", **text},
                            {"key": "error", "type": "bool", "value": True},
                            {"key": "size", "type": "int64", "value": 5},
                            {"key": "sampler.type", "value": "probabilistic", **text},
                            {"key": "sampler.param", "type": "float64", "value": 0.1},
                        ],
                        "logs": [
                            {"timestamp": 1, "fields": [
                                {"key": "event", "value": "error", **text},
                                {"key": "error.kind", "value": "Declined", **text},
                                {"key": "message", "value": "no money", **text},
                            ]},
                        ],
                        "processID": "p~/1",
                    }
                ],
                "processes": {"p~/1": {"serviceName": "shop", "tags": [
                    {"key": "service.version", "value": "7", **text}]}},
            }
        ]
    }  # fmt: skip
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    (start, end) = pl.concat(OtlpFile(str(path)).frames()).sort("position").rows(named=True)
    assert start["instance_id"] == "abc".zfill(32) + ":" + "1".zfill(16)
    assert (end["lifecycle"], end["error_type"], end["error_message"]) == (
        "fail", "Declined", "no money",
    )  # fmt: skip
    assert (end["resource"], end["process_version"], end["case_status"]) == ("shop", "7", "failed")
    kept = json.loads(end["attributes"])
    assert kept["size"] == 5 and kept["span.kind"] == "server" and kept["span.sampled"] is True


def test_zipkin_tells_the_two_halves_of_a_shared_span_apart(tmp_path: Path) -> None:
    one = {"traceId": "a1", "id": "b1", "name": "get", "timestamp": 1_770_000_000_000_000,
           "duration": 900}  # fmt: skip
    spans = [
        one | {"kind": "CLIENT", "localEndpoint": {"serviceName": "web"}},
        one | {"kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "shop"},
               "tags": {"error": "declined", "http.path": "/x"}},
    ]  # fmt: skip
    path = tmp_path / "zipkin.json"
    path.write_text(json.dumps(spans), encoding="utf-8")
    found = pl.concat(OtlpFile(str(path)).frames())
    assert found["instance_id"].n_unique() == 2
    failed = found.filter(pl.col("lifecycle") == "fail")
    assert failed.select("resource", "error_message").rows() == [("shop", "declined")]


@pytest.mark.parametrize(
    ("content", "instead"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"neither rows nor tags\n", "neither JSON nor a protobuf message"),
        (b'"nonsense"', "no spans"),
        (b'{"resourceLogs": []}', "log records, no spans"),
        (b'{"resourceMetrics": []}', "metrics, no spans"),
        (b'{"resourceSpans": []}', "holds no spans"),
        (b'{"specversion": "1.0", "id": "1"}', "a CloudEvent, no spans"),
        (b"\xff\xfe\x00garbage", "neither JSON nor a protobuf message"),
    ],
)
def test_a_file_without_spans_is_refused_with_what_it_holds(
    tmp_path: Path, content: bytes, instead: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LogFormatError, match=instead) as caught:
        list(OtlpFile(str(path)).frames())
    assert "OTLP" in caught.value.hint


def test_recorded_traces_are_read_or_refused_with_a_sentence(shared_logs: Path) -> None:
    folder = shared_logs / "histories" / "traces"
    paths = sorted(folder.glob("*/*.json"))
    assert len(paths) >= 35
    events: dict[str, int] = {}
    for path in paths:
        try:
            frame = pl.concat(OtlpFile(str(path)).frames())
        except LogFormatError as error:
            assert len(error.message.splitlines()) == 1
            continue
        assert frame["reason"].null_count() == frame.height
        assert frame.select(pl.col("case_id", "activity", "timestamp").null_count()).row(0) == (
            (0,) * 3
        )
        events[f"{path.parent.name}/{path.name}"] = frame.height
    assert sum(name.startswith("otlp/") for name in events) == 7
    assert sum(name.startswith("zipkin/") for name in events) == 5
    assert sum(name.startswith("jaeger/") for name in events) == 1
    assert not any(name.startswith("cloudevents/") for name in events)
    assert events["otlp/trace-with-db-namespace.json"] == 38


def test_recorded_failures_are_found(shared_logs: Path) -> None:
    path = shared_logs / "histories" / "traces" / "otlp" / "trace-with-failed-requests.json"
    found = pl.concat(OtlpFile(str(path)).frames())
    assert (found["lifecycle"] == "fail").sum() == 3


def test_attributes_with_the_same_key_or_odd_values_stay_json() -> None:
    made = span("odd", 1)
    made["attributes"] = [
        *attributes({"twice": 1}), *attributes({"twice": 2}),
        {"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "none", "value": {}},
        {"key": 'quo"te', "value": {"stringValue": "line\nend \u2028 \x01"}},
        {"key": "wrong", "value": {"intValue": "many"}},
        {"key": "bytes", "value": {"bytesValue": "AAE="}},
    ]  # fmt: skip
    kept = json.loads(spans_of(bytes_of(request([made])))["attributes"][0])
    assert kept["nan"] == "NaN" and kept["none"] is None and kept["wrong"] == "many"
    assert kept['quo"te'] == "line\nend \u2028 \x01" and kept["bytes"] == "AAE="
