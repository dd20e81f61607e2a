"""Writing logs so that the same events always give the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import polars as pl
from lxml import etree

from sample_logs.sample import Sample, Value
from sample_logs.simulation import BERLIN, moment

XES = "http://www.xes-standard.org/"
EXTENSIONS = (
    ("Concept", "concept"),
    ("Lifecycle", "lifecycle"),
    ("Organizational", "org"),
    ("Time", "time"),
)
CLASSIFIERS = (
    ("Activity", "concept:name"),
    ("Activity and lifecycle", "concept:name lifecycle:transition"),
    ("Resource", "org:resource"),
)
Attributes = Mapping[str, str | int | float | bool | datetime]


def utc(at: int) -> str:
    """The instant as ISO 8601 in UTC, with milliseconds where there are any."""
    text = moment(at).isoformat(timespec="milliseconds" if at % 1_000 else "seconds")
    return text.replace("+00:00", "Z")


def csv_bytes(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> bytes:
    """A CSV file with unix line ends; None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def jsonl_bytes(records: Iterable[Mapping[str, object]]) -> bytes:
    """One JSON object per line; keys whose value is None are left out."""
    lines = (
        json.dumps(
            {key: value for key, value in record.items() if value is not None},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for record in records
    )
    return "".join(f"{line}\n" for line in lines).encode()


def parquet_bytes(rows: Sequence[tuple[object, ...]], schema: pl.Schema) -> bytes:
    """A Parquet file with the rows in the given order."""
    buffer = io.BytesIO()
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame.write_parquet(buffer, compression="zstd", compression_level=9, statistics=True)
    return buffer.getvalue()


def xes_bytes(traces: Iterable[tuple[Attributes, Sequence[Attributes]]], name: str) -> bytes:
    """A gzipped XES 1.0 file; each trace is its attributes and its events."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as packed,
        etree.xmlfile(packed, encoding="UTF-8") as xml,
    ):
        xml.write_declaration()
        log = {"xes.version": "1.0", "xes.features": "nested-attributes", "xmlns": XES}
        with xml.element("log", log):
            _write_head(xml, name)
            for attributes, events in traces:
                trace = etree.Element("trace")
                _add_attributes(trace, attributes)
                for event in events:
                    _add_attributes(etree.SubElement(trace, "event"), event)
                xml.write(trace, pretty_print=True)
    return buffer.getvalue()


def _write_head(xml: etree._IncrementalFileWriter, name: str) -> None:
    for title, prefix in EXTENSIONS:
        uri = f"{XES}{prefix}.xesext"
        xml.write(etree.Element("extension", name=title, prefix=prefix, uri=uri))
    unknown: Attributes = {"concept:name": "UNKNOWN"}
    event: Attributes = {
        "concept:name": "UNKNOWN",
        "lifecycle:transition": "complete",
        "time:timestamp": moment(0, BERLIN),
    }
    for scope, defaults in (("trace", unknown), ("event", event)):
        element = etree.Element("global", scope=scope)
        _add_attributes(element, defaults)
        xml.write(element, pretty_print=True)
    for title, keys in CLASSIFIERS:
        xml.write(etree.Element("classifier", name=title, keys=keys))
    xml.write(etree.Element("string", key="concept:name", value=name))
    xml.write(etree.Element("string", key="lifecycle:model", value="standard"))


def _add_attributes(parent: etree._Element, attributes: Attributes) -> None:
    for key, value in attributes.items():
        kind, text = _typed(value)
        etree.SubElement(parent, kind, key=key, value=text)


def _typed(value: str | int | float | bool | datetime) -> tuple[str, str]:
    match value:
        case bool():
            return "boolean", str(value).lower()
        case int():
            return "int", str(value)
        case float():
            return "float", repr(value)
        case datetime():
            return "date", value.isoformat(timespec="milliseconds")
        case _:
            return "string", value


def catalogue_bytes(samples: Iterable[Sample]) -> bytes:
    """The catalogue of the samples as TOML."""
    lines = ["# Written by `python -m sample_logs.generate`; change the generator instead."]
    for sample in samples:
        lines += ["", "[[log]]"]
        about = ("name", "process", "title", "description", "owner", "file", "source")
        lines += [_entry(key, getattr(sample, key)) for key in about]
        for table in ("options", "format", "counts"):
            lines += ["", f"[log.{table}]"]
            lines += [_entry(key, value) for key, value in getattr(sample, table).items()]
        for file, model in sample.model_files():
            lines += ["", "[[log.model]]", _entry("file", file)]
            lines.append(_entry("version", model.workflow.version))
            for limit in ("valid_from", "valid_until"):
                if day := getattr(model, limit):
                    lines.append(_entry(limit, day))
        for truth in sample.truths:
            lines += ["", "[[log.truth]]", *(_entry(*pair) for pair in truth.items())]
    return ("\n".join(lines) + "\n").encode()


def _entry(key: str, value: Value) -> str:
    # A JSON string or list of strings is also a TOML one.
    text = value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
    return f"{key} = {text}"
