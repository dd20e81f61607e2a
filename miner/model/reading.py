"""Modelled workflows from text and files, in any language that is known."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from miner.errors import ModelError, UnknownNameError
from miner.model.translation import Seen, Translation
from miner.model.xml_reader import MOST_BYTES, local_name, parse_xml

_READERS = {
    "bpmn": ("miner.model.bpmn_net", "read_bpmn"),
    "pnml": ("miner.model.pnml_reader", "read_pnml"),
    "process-tree": ("miner.model.tree_text", "read_process_tree"),
    "asl": ("miner.model.asl", "read_asl"),
    "logic-apps": ("miner.model.logic_apps", "read_logic_apps"),
    "google-workflows": ("miner.model.google_workflows", "read_google_workflows"),
    "airflow": ("miner.model.airflow", "read_airflow"),
    "declare": ("miner.model.declare", "read_declare"),
}
MODEL_FORMATS = tuple(_READERS)
"""The languages that can be read."""
_ALSO = {"airflow-tasks": "airflow", "airflow-source": "airflow", "ptml": "process-tree"}
"""Other words for them, under which sources keep definitions."""
_ENDINGS = {
    ".bpmn": "bpmn",
    ".bpmn20.xml": "bpmn",
    ".pnml": "pnml",
    ".ptml": "process-tree",
    ".tree": "process-tree",
    ".asl.json": "asl",
    ".asl": "asl",
    ".decl": "declare",
}
_ROOTS = {"definitions": "bpmn", "pnml": "pnml", "ptml": "process-tree"}
_TREE = re.compile(r"(->|[X+O*])\s*\(|tau\s*$|'(?:[^'\\]|\\.)*'\s*$", re.DOTALL)
_DECLARE = re.compile(r"^(activity\s+\S|[A-Z][\w \-]*\[[^\]]+\]\s*\|?)", re.MULTILINE)
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,100}encoding\s*=\s*["']([\w.\-]{1,40})["']""")


def read_model(
    text: str | bytes,
    format: str | None = None,
    *,
    name: str = "model",
    version: str | None = None,
    seen: Seen | None = None,
) -> Translation:
    """The net of a definition, and remarks on everything that it cannot say exactly.

    `format` is one of `MODEL_FORMATS`; without it, the content tells. Bytes have to be UTF-8, or in
    the encoding that they declare as XML. What is `seen` in the log leaves an event also where the
    language does not say that it does: the events of BPMN.

    Raises ModelError for definitions that cannot be used: larger than 50 MB, empty, cut off, in
    another encoding or format, or with parts that make no sense, naming them; UnknownNameError for
    a format that is not known.
    """
    decoded = _decoded(text)
    found = recognised(decoded) if format is None else _ALSO.get(format, format)
    if found not in _READERS:
        raise UnknownNameError("format of models", found, MODEL_FORMATS)
    module, function = _READERS[found]
    reader: Any = getattr(import_module(module), function)
    options = {"events": seen} if found == "bpmn" and seen is not None else {}
    translation: Translation = reader(decoded, name=name, version=version, **options)
    return translation


def read_model_file(
    path: Path,
    format: str | None = None,
    *,
    version: str | None = None,
    seen: Seen | None = None,
) -> Translation:
    """The model in a file, named after the file; see `read_model`.

    The format is told by the ending, or by the content when the ending does not say. Raises
    ModelError, which names the file, also when it cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(
                f"It has {path.stat().st_size:,} bytes; {MOST_BYTES:,} are the most.",
                hint="Export the process alone, without others and without attachments.",
            )
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"{path} cannot be read: {reason}.", hint="Check the path.") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", hint=error.hint) from error
    ending = next((end for end in _ENDINGS if path.name.lower().endswith(end)), None)
    told = _ENDINGS[ending] if ending else None
    name = path.name[: -len(ending)] if ending else path.stem
    try:
        return read_model(content, format or told, name=name, version=version, seen=seen)
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", hint=error.hint) from error


def recognised(text: str) -> str:
    """The format that `text` looks like; raises ModelError when it looks like none."""
    start = text.lstrip("\ufeff \t\r\n")
    found = None
    if start.startswith("<"):
        root = parse_xml(text, "XML")
        found = _ROOTS.get(local_name(root))
        if found is None:
            raise _unknown(f"its outermost element is <{local_name(root)}>")
    elif start.startswith("{"):
        found = _of_object(_json(start))
    elif _TREE.match(start):
        found = "process-tree"
    else:
        found = _of_lines(start)
    if found is None:
        raise _unknown(f"it starts with {start[:40]!r}")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"The definition is no JSON: {error}.", hint="Check that the whole file was given."
        ) from error


def _of_object(found: Any) -> str | None:
    if not isinstance(found, dict):
        return None
    inner = found.get("definition", found.get("properties"))
    keys = set(found) | (set(inner) if isinstance(inner, dict) else set())
    if {"StartAt", "States"} & set(found):
        return "asl"
    if "actions" in keys or "definition" in keys or "Microsoft.Logic" in str(found.get("$schema")):
        return "logic-apps"
    if "constraints" in keys:
        return "declare"
    if "dag" in keys or "tasks" in keys:
        return "airflow"
    return "google-workflows" if "main" in keys else None


def _of_lines(text: str) -> str | None:
    names = set(re.findall(r"^[\"']?([A-Za-z_]\w*)[\"']?\s*:", text, re.MULTILINE))
    if "StartAt" in names:
        return "asl"
    if re.search(r"^\s*(from|import) airflow\b", text, re.MULTILINE):
        return "airflow"
    if "main" in names or re.match(r"-\s+\w+:", text):
        return "google-workflows"
    return "declare" if _DECLARE.search(text) else None


def _unknown(why: str) -> ModelError:
    return ModelError(
        f"The definition is in no format that is known: {why}.",
        hint=f"Name the format: {', '.join(MODEL_FORMATS)}.",
    )


def _decoded(text: str | bytes) -> str:
    if len(text) > MOST_BYTES:
        raise ModelError(
            f"The definition has a size of {len(text):,}; {MOST_BYTES:,} bytes are the most.",
            hint="Export the process alone, without others and without attachments.",
        )
    if isinstance(text, bytes):
        declared = _ENCODING.match(text.removeprefix(b"\xef\xbb\xbf"))
        encoding = declared[1].decode() if declared else "utf-8"
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        try:
            text = text.decode(encoding)
        except (UnicodeError, LookupError) as error:
            raise ModelError(
                f"The definition cannot be read as {encoding}: {error}.",
                hint="Save it in UTF-8.",
            ) from error
    if not text.strip("\ufeff \t\r\n\0"):
        raise ModelError("The definition is empty.", hint="Check the file.")
    return text
