"""Messages as events, from bytes and from the mock cluster that Kafka's client brings along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.mapping import MappingFile
from ingest.messages import events_of, mapping_of, message_line
from ingest.source import Known, Secret
from ingest.sources.kafka import KafkaTopics
from miner.errors import InputError, SourceUnavailableError, UnknownNameError

MAPPING = 'case = "order"\nactivity = "status"\ntimestamp = "at"\n'


@pytest.fixture
def mapping(tmp_path: Path) -> MappingFile:
    return written(tmp_path, MAPPING)


def written(folder: Path, text: str) -> MappingFile:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return MappingFile(path)


def line(value: bytes | None, **fields: Any) -> bytes:
    given = {"id": "t:0:1", "topic": "t", "partition": 0, "offset": 1, "milliseconds": None}
    return message_line({**given, "key": None, "headers": None, **fields}, value)


def rows(raw: bytes, mapping: str, **more: Any) -> list[dict[str, Any]]:
    return events_of(raw, mapping_of(mapping), **more).to_dicts()


def paid(**more: Any) -> bytes:
    value = {"order": "o1", "status": "Paid", "at": "2026-01-01T10:00:00Z", **more}
    return json.dumps(value).encode()


def test_a_message_becomes_an_event_with_the_id_and_the_place_of_the_message(
    mapping: MappingFile,
) -> None:
    (row,) = rows(line(paid(), offset=7), mapping)
    found = [row[name] for name in ("event_id", "case_id", "activity", "timestamp", "position")]
    assert found == ["t:0:1", "o1", "Paid", datetime(2026, 1, 1, 10), 7]


def test_key_headers_and_time_of_a_message_are_fields(tmp_path: Path) -> None:
    mapping = written(
        tmp_path,
        'case = "key"\nactivity = "topic"\ntimestamp = "timestamp"\nresource = "headers.by"\n',
    )
    headers = json.dumps({"by": 'a "b"\\'})
    raw = line(None, key="k", milliseconds=1_780_000_000_123, headers=headers)
    (row,) = rows(raw, mapping)
    assert [row[name] for name in ("case_id", "activity", "resource", "reason")] == [
        "k", "t", 'a "b"\\', None,
    ]  # fmt: skip
    assert row["timestamp"] == datetime(2026, 5, 28, 20, 26, 40, 123000)


def test_an_id_that_the_mapping_names_counts_and_several_events_of_a_message_differ(
    tmp_path: Path,
) -> None:
    named = written(tmp_path, MAPPING + 'event_id = "number"\n')
    assert rows(line(paid(number="n9")), named)[0]["event_id"] == "n9"
    two = written(
        tmp_path,
        'case = "order"\n[[event]]\nactivity = "\'Ask\'"\ntimestamp = "at"\n'
        '[[event]]\nactivity = "\'Pay\'"\ntimestamp = "at"\n',
    )
    assert [row["event_id"] for row in rows(line(paid()), two)] == ["t:0:1:Ask", "t:0:1:Pay"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the message has no value (a tombstone)"),
        (b"", "the value is no valid JSON"),
        (b"{", "the value is no valid JSON"),
        (b"[" * 100_000, "the value is no valid JSON"),
        (b"\xff\xfe", "the value is no UTF-8 text"),
        (b"[1]", "no case: order is empty"),
        (b'{"order": {}}', None),
    ],
)
def test_what_cannot_become_an_event_is_kept_with_a_reason(
    value: bytes | None, reason: str | None, mapping: MappingFile
) -> None:
    (row,) = rows(line(value, key="k"), mapping)
    assert row["reason"] == reason if reason else row["reason"]
    assert row["record"].startswith('{"key":"k",')


def test_one_bad_message_does_not_harm_the_others(mapping: MappingFile) -> None:
    deep = b'{"order":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    raw = b"".join(
        line(value, id=str(i)) for i, value in enumerate([paid(), b"\0", deep, None, paid()])
    )
    found = rows(raw, mapping)
    assert [row["event_id"] for row in found if row["reason"] is None] == ["0", "4"]
    assert len(found) == 5


def test_texts_that_look_like_json_or_hold_control_characters_stay_texts(tmp_path: Path) -> None:
    mapping = written(tmp_path, 'case = "key"\nactivity = "value"\ntimestamp = "timestamp"\n')
    raw = line('Bezahlt\u2028 \t"x"'.encode(), key='{"a":1}', milliseconds=0)
    (row,) = rows(raw, mapping)
    assert (row["case_id"], row["activity"]) == ('{"a":1}', 'Bezahlt\u2028 \t"x"')


def test_the_number_of_a_json_schema_before_the_text_is_passed_over(mapping: MappingFile) -> None:
    (row,) = rows(line(b"\0\0\0\0\7" + paid()), mapping)
    assert row["activity"] == "Paid"


def test_no_messages_are_no_events(mapping: MappingFile) -> None:
    assert rows(b"", mapping) == []


def test_avro_by_a_schema_file_is_read_also_in_the_envelope_for_single_objects(
    mapping: MappingFile,
) -> None:
    from io import BytesIO

    import fastavro

    from ingest.messages import schema_line
    from ingest.messages.schema_registry import OF_FILE

    fields = [{"name": name, "type": "string"} for name in ("order", "status", "at")]
    schema = {"type": "record", "name": "Order", "fields": fields}
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), json.loads(paid()))
    given = {"id": "1", "topic": "t", "partition": 0, "offset": 1, "milliseconds": None}
    values = [body.getvalue(), b"\xc3\x01" + bytes(8) + body.getvalue(), body.getvalue() + b"x"]
    raw = schema_line(OF_FILE, [json.dumps(schema)]) + b"".join(
        message_line(dict(given), value, binary=True) for value in values
    )
    found = rows(raw, mapping, avro=True)
    assert [row["activity"] for row in found if row["reason"] is None] == ["Paid", "Paid"]
    (bad,) = (row for row in found if row["reason"])
    assert "longer than Avro schema" in bad["reason"] and "base64" in bad["record"]


def test_options_that_make_no_sense_are_refused_before_anything_is_asked(
    mapping: MappingFile, tmp_path: Path
) -> None:
    def refused(**options: Any) -> InputError:
        given = {"brokers": "127.0.0.1:1", "topics": "t", "mapping": mapping}
        with pytest.raises(InputError) as error:
            list(KafkaTopics(**(given | options)).pages(Known()))
        return error.value

    assert isinstance(refused(encoding="avor"), UnknownNameError)
    assert "mapping" in refused(encoding="cloudevents").hint
    assert "--registry" in refused(encoding="avro").hint
    assert "no.avsc" in str(refused(encoding="avro", schema="no.avsc"))
    assert "holds no Avro schema" in str(refused(encoding="avro", schema=str(mapping)))
    assert "since" in refused(since="yesterday").hint
    assert "no.toml" in str(refused(mapping=MappingFile(tmp_path / "no.toml")))
    wrong = refused(security="sasl_ssl", mechanism="NONE", password=Secret("s3cret"))
    assert "s3cret" not in str(wrong)


@pytest.fixture
def mock_cluster() -> Iterator[Any]:
    """A producer with a cluster inside of it, which lives as long as the producer."""
    from confluent_kafka import Producer

    yield Producer({"test.mock.num.brokers": 2, "log_level": 0})


def brokers_of(producer: Any) -> str:
    return ",".join(f"{each.host}:{each.port}" for each in producer.list_topics().brokers.values())


def test_offsets_of_all_partitions_go_on_where_a_page_ended(
    mock_cluster: Any, mapping: MappingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.kafka.offsets.ASIDE", 0.1)  # it knows no administrators
    for i in range(400):
        mock_cluster.produce("orders", paid(amount=i), key=str(i), headers={"n": str(i)})
    mock_cluster.flush()
    source = KafkaTopics(brokers_of(mock_cluster), "orders", mapping, page=50, timeout=10)
    pages = list(source.pages(Known()))
    ids = [set(page.events["event_id"]) for page in pages]
    assert len(pages) > 3 and len(set.union(*ids)) == 400
    for i, page in enumerate(pages):
        rest = [set(each.events["event_id"]) for each in source.pages(Known(page.cursor))]
        assert set().union(*rest) == set().union(*ids[i + 1 :])


def test_brokers_that_go_away_in_the_middle_end_with_what_was_read(
    mapping: MappingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from confluent_kafka import Producer

    monkeypatch.setattr("ingest.kafka.offsets.ASIDE", 0.1)
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    for i in range(20_000):
        producer.produce("orders", paid(text="x" * 4000, amount=i))
        producer.poll(0)
    producer.flush()
    source = KafkaTopics(brokers_of(producer), "orders", mapping, page=100, timeout=2)
    pages = source.fetch(Known())
    assert next(pages).raw
    del producer  # and with it the cluster
    with pytest.raises(SourceUnavailableError, match=r"sent nothing|do not answer"):
        for _ in pages:
            pass
