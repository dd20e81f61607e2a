from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import ModelError, UnknownNameError
from miner.model import reading
from miner.model.bpmn_writer import to_bpmn
from miner.model.pnml import to_pnml
from miner.model.pnml_reader import read_pnml
from miner.model.process_model import model_of_tree
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree
from miner.model.reading import read_model, read_model_file, recognised
from miner.model.soundness import soundness
from miner.model.tree_text import parse_tree, read_process_tree
from tests.model.bpmn_texts import MODEL, definitions, document
from tests.model.languages import by_definition, of_automaton, trees

A, B = activity("a"), activity("b")


@settings(max_examples=100, deadline=None)
@given(trees(names="ab'\\, (τ\n"))
def test_a_tree_as_text_is_read_back(found: ProcessTree) -> None:
    read = read_process_tree(str(found)).model.tree
    assert read is not None
    assert str(read) == str(found)


@settings(max_examples=40, deadline=None)
@given(trees())
def test_pnml_is_read_back_as_the_same_net(found: ProcessTree) -> None:
    model = model_of_tree("random", found)
    read = read_pnml(to_pnml(model))
    assert read.remarks == ()
    net = read.model.net
    assert [(t.id, t.label) for t in net.transitions] == [
        (t.id, t.label) for t in model.net.transitions
    ]
    assert (net.arcs, net.initial, net.final) == (
        model.net.arcs,
        model.net.initial,
        model.net.final,
    )


@settings(max_examples=20, deadline=None)
@given(trees().filter(lambda found: "*" not in str(found)))
def test_ptml_of_pm4py_has_the_same_language(tmp_path_factory: Any, found: ProcessTree) -> None:
    import pm4py

    path = tmp_path_factory.mktemp("ptml") / "model.ptml"
    pm4py.write_ptml(pm4py.parse_process_tree(str(found)), str(path))
    assert of_automaton(read_model_file(path).model, 4) == by_definition(found, 4)


def test_a_loop_of_ptml_is_left_by_its_third_part(tmp_path: Path) -> None:
    import pm4py

    path = tmp_path / "model.ptml"
    pm4py.write_ptml(pm4py.parse_process_tree("*( 'a', 'b', 'c' )"), str(path))
    read = read_model_file(path).model
    assert of_automaton(read, 4) == {("a", "c"), ("a", "b", "a", "c")}


def test_the_content_tells_the_format() -> None:
    model = model_of_tree("m", tree(Operator.SEQUENCE, A, B))
    assert recognised(to_bpmn(model)) == "bpmn"
    assert recognised(to_pnml(model)) == "pnml"
    assert recognised(str(model.tree)) == "process-tree"
    assert recognised('{"StartAt": "a", "States": {}}') == "asl"
    assert recognised('{"definition": {"actions": {}, "triggers": {}}}') == "logic-apps"
    assert recognised("main:\n  steps:\n    - a:\n        return: 1\n") == "google-workflows"
    assert recognised('{"__version": 1, "dag": {"tasks": []}}') == "airflow"
    assert recognised('{"tasks": ["a"], "constraints": []}') == "declare"
    assert recognised('{"tasks": [{"task_id": "a"}], "total_entries": 1}') == "airflow"
    assert recognised("activity a\nResponse[a, b] | |\n") == "declare"


EXAMPLES = {
    "asl": '{"StartAt": "a", "States": {"a": {"Type": "Task", "Resource": "r", "End": true}}}',
    "logic-apps": '{"definition": {"triggers": {}, "actions": {"a": {"type": "Http"}}}}',
    "google-workflows": "main:\n  steps:\n    - a:\n        call: http.get\n",
    "airflow": '{"tasks": [{"task_id": "a", "downstream_task_ids": []}], "total_entries": 1}',
    "declare": "activity a\nExistence[a] | |\n",
    "process-tree": "->( 'a', X( 'a', tau ) )",
}


@pytest.mark.parametrize("format_", EXAMPLES)
def test_each_format_is_read_whether_it_is_named_or_not(format_: str) -> None:
    named = read_model(EXAMPLES[format_], format_, name="m")
    assert "a" in named.model.net.labels()
    assert read_model(EXAMPLES[format_], name="m") == named


def test_a_file_gives_its_name(tmp_path: Path) -> None:
    path = tmp_path / "pay.bpmn"
    path.write_text(to_bpmn(model_of_tree("m", A)), encoding="utf-8")
    assert read_model_file(path, version="2").model.name == "pay"
    assert read_model_file(path, version="2").model.version == "2"


def test_bytes_may_be_in_the_encoding_that_they_declare() -> None:
    text = to_bpmn(model_of_tree("m", activity("prüfen"))).replace("UTF-8", "ISO-8859-1")
    assert read_model(text.encode("latin-1")).model.net.labels() == ("prüfen",)
    assert read_model(text.replace("ISO-8859-1", "UTF-16").encode("utf-16")).model.net.labels()


def test_a_format_that_is_not_known_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="bpnm"):
        read_model("<a/>", "bpnm")


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">]>'
BAD = {
    "": "empty",
    " \n": "empty",
    "<definitions": "not well-formed XML",
    "<html><body/></html>": "no format that is known",
    "what is this": "no format that is known",
    "{": "no JSON",
    "[]": "no format that is known",
    BOMB + definitions(""): "document type",
    "<!-- x --><!doctype d>" + definitions(""): "document type",
    definitions(""): "has no process",
    definitions('<process id="P"/>'): "has elements",
    '<definitions xmlns="http://example.org"/>': "not BPMN 2.0",
    document("start > A > end", '<task id="A"/><task id="A"/>'): "Two elements have the id 'A'",
    document("start > A > end", "<task/>"): "has no id",
    document("start > A > end", '<sequenceFlow id="f" sourceRef="A" targetRef="Z"/>'): "'Z'",
    document('<task id="A"><outgoing>gone</outgoing></task>', "start > A > end"): "'gone'",
    document('<boundaryEvent id="b" attachedToRef="Z"/>', "start > A > end"): "'b' is attached",
    document('<magic id="M"><incoming>f</incoming></magic>', "start > A > end"): "<magic>",
    document("A > B > A"): "no start",
    document("start > A > B > A"): "no end",
    document("start > A > start", "A > end"): "enters the startEvent",
    document("start > S > end", '<subProcess id="S"/>'): "has no elements",
    "<pnml/>": "not PNML",
    "<pnml><net/></pnml>": "no places",
    "<ptml/>": "not PTML",
    "->( 'a', ": "cut off",
    "->( 'a' 'b' )": "where ',' or ')' is expected",
    "->( 'a', b )": "at character",
    "X( )": "where an operator or an activity is expected",
    "X(" * 500: "deeper than 200",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_definition_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_model(text)
    assert BAD[text] in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bpmn"
    path.write_bytes(b"<definitions>\xff\xfe\xfa</definitions>")
    with pytest.raises(ModelError, match=r"a\.bpmn: .*cannot be read as utf-8"):
        read_model_file(path)
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_model_file(tmp_path / "none.bpmn")


def test_a_definition_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 10)
    with pytest.raises(ModelError, match="size of 11"):
        read_model("X( 'a', b )")


def test_elements_nested_without_end_are_refused() -> None:
    inside = "<subProcess id='s'>" * 2000 + "</subProcess>" * 2000
    with pytest.raises(ModelError, match="not well-formed"):
        read_model(definitions(f'<process id="P">{inside}</process>'))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3000), st.text(max_size=5))
def test_a_damaged_document_is_refused_or_read(at: int, rubbish: str) -> None:
    text = document("start > p1 > A > p2 > end", "p1 > B > p2")
    try:
        read_model(text[: at % len(text)] + rubbish + text[at % len(text) + 3 :])
    except ModelError as error:
        assert error.message.endswith(".") and error.hint


def pnml(inside: str) -> str:
    return f"<pnml><net id='n'>{inside}</net></pnml>"


def place(name: str, tokens: int = 0) -> str:
    marking = f"<initialMarking><text>{tokens}</text></initialMarking>" if tokens else ""
    return f"<place id='{name}'>{marking}</place>"


def arc(source: str, target: str, inside: str = "") -> str:
    return f"<arc id='{source}{target}' source='{source}' target='{target}'>{inside}</arc>"


STEP = "<transition id='t'><name><text>A</text></name></transition>"


def test_missing_markings_are_told_from_the_net_with_remarks() -> None:
    read = read_pnml(pnml(place("i") + place("o") + STEP + arc("i", "t") + arc("t", "o")))
    assert (read.model.net.initial, read.model.net.final) == ((("i", 1),), (("o", 1),))
    assert [remark.element_id for remark in read.remarks] == ["i", "o"]


def test_a_step_named_tau_is_silent_with_a_remark() -> None:
    step = STEP.replace("A", "tau 3")
    read = read_pnml(pnml(place("i", 1) + place("o") + step + arc("i", "t") + arc("t", "o")))
    assert read.model.net.labels() == ()
    assert read.remarks[0].element_id == "t"


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (place("i") + place("i") + STEP, "the id 'i'"),
        (place("i") + STEP + arc("i", "x"), "'x', which does not exist"),
        (place("i") + place("o") + STEP + arc("i", "o"), "two places"),
        (place("i") + STEP + arc("i", "t", "<type value='inhibitor'/>"), "'inhibitor'"),
        (place("i") + STEP + arc("i", "t", "<inscription><text>1`x</text></inscription>"), "1`x"),
        (place("i") + place("j") + STEP + arc("i", "t") + arc("j", "t"), "no initial marking"),
        (place("i", 1) + STEP + arc("i", "t"), "no final marking"),
    ],
)
def test_a_bad_net_is_refused(inside: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_pnml(pnml(inside))
    assert said in caught.value.message


def test_the_nets_of_the_shared_logs_are_read_and_sound(shared_logs: Path) -> None:
    expected = pl.read_parquet(shared_logs / "conformance" / "expected_alignments.parquet")
    for path in sorted((shared_logs / "conformance").glob("*.pnml")):
        net = read_model_file(path).model.net
        assert soundness(net).sound, path
        names = set(expected.filter(pl.col("pair") == path.stem)["trace"].explode())
        assert names & set(net.labels())


def test_a_name_with_quotes_and_a_silent_step_are_read() -> None:
    assert parse_tree(r"X( 'it\'s', tau )") == tree(Operator.EXCLUSIVE, activity("it's"), TAU)


def test_the_namespace_of_bpmn_is_the_one_of_the_standard() -> None:
    assert MODEL in document("start > A > end")
