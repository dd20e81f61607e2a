"""The modelled workflows open in any BPMN tool and speak of the activities of their log."""

import contextlib
import io
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lxml import etree

from sample_logs.catalogue import SampleLog, catalogue

NAMES = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
}
MODELS = [(sample, model) for sample in catalogue() for model in sample.models]
FILES = [model.path for _, model in MODELS]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def found(path: Path, xpath: str) -> list[Any]:
    return list(etree.parse(path).xpath(xpath, namespaces=NAMES))


def flow_nodes(path: Path) -> list[Any]:
    other = "not(self::bpmn:sequenceFlow) and not(self::bpmn:documentation)"
    return found(path, f"//bpmn:process/*[{other}]")


def task_names(path: Path) -> set[str]:
    tasks = found(path, "//bpmn:userTask/@name | //bpmn:serviceTask/@name")
    assert len(tasks) == len(set(tasks))
    return set(tasks)


@each_file
def test_every_node_has_a_shape_and_every_flow_an_edge(path: Path) -> None:
    shapes = found(path, "//bpmndi:BPMNShape[dc:Bounds]/@bpmnElement")
    edges = found(path, "//bpmndi:BPMNEdge[count(di:waypoint) >= 2]/@bpmnElement")
    assert sorted(shapes) == sorted(node.get("id") for node in flow_nodes(path))
    assert sorted(edges) == sorted(found(path, "//bpmn:sequenceFlow/@id"))


@each_file
def test_ids_are_unique_and_every_reference_has_its_target(path: Path) -> None:
    ids = found(path, "//@id")
    assert len(ids) == len(set(ids))
    references = "//@sourceRef | //@targetRef | //@attachedToRef | //@errorRef | //@bpmnElement"
    assert set(found(path, references)) <= set(ids)


@each_file
def test_every_node_is_on_a_way_from_a_start_to_an_end(path: Path) -> None:
    for node in flow_nodes(path):
        kind = etree.QName(node).localname
        ways_in = found(path, f"//bpmn:sequenceFlow[@targetRef='{node.get('id')}']/@id")
        ways_out = found(path, f"//bpmn:sequenceFlow[@sourceRef='{node.get('id')}']/@id")
        assert bool(ways_in) is (kind not in ("startEvent", "boundaryEvent")), node.get("id")
        assert bool(ways_out) is (kind != "endEvent"), node.get("id")
        assert [e.text for e in node.iterfind("bpmn:incoming", NAMES)] == ways_in
        assert [e.text for e in node.iterfind("bpmn:outgoing", NAMES)] == ways_out


@each_file
def test_no_two_nodes_lie_on_each_other(path: Path) -> None:
    on_tasks = set(found(path, "//bpmn:boundaryEvent/@id"))
    boxes = []
    for shape in found(path, "//bpmndi:BPMNShape"):
        if shape.get("bpmnElement") not in on_tasks:
            bounds = shape.find("dc:Bounds", NAMES)
            boxes.append([int(bounds.get(key)) for key in ("x", "y", "width", "height")])
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


@pytest.mark.parametrize("name", ["nightly_pipeline", "payment_saga"])
def test_failures_leave_their_task_through_a_boundary_event(
    name: str, samples: dict[str, SampleLog]
) -> None:
    path = samples[name].models[-1].path
    assert found(path, "//bpmn:boundaryEvent[bpmn:errorEventDefinition]")


def test_tasks_are_the_activities_of_the_log_but_for_known_deviations(
    samples: dict[str, SampleLog],
    orders: pl.DataFrame,
    claims: pl.DataFrame,
    hires: pl.DataFrame,
    runs: pl.DataFrame,
    sagas: pl.DataFrame,
) -> None:
    for sample, log in zip(samples.values(), (orders, claims, hires, runs, sagas), strict=True):
        extra = {t["activity"] for t in sample.truths_of("deviation") if t["what"] == "extra"}
        assert task_names(sample.models[-1].path) == set(log["activity"]) - extra


def test_each_version_has_the_activities_of_its_runs(
    samples: dict[str, SampleLog], runs: pl.DataFrame
) -> None:
    seen = dict(runs.group_by("process_version").agg(pl.col("activity").unique()).iter_rows())
    models = samples["nightly_pipeline"].models
    assert {model.version: task_names(model.path) for model in models} == {
        version: set(activities) for version, activities in seen.items()
    }


@each_file
def test_pm4py_opens_the_workflow(path: Path) -> None:
    graph = _opened(path)
    assert len(graph.get_nodes()) == len(flow_nodes(path))
    assert len(graph.get_flows()) == len(found(path, "//bpmn:sequenceFlow"))


@pytest.mark.parametrize("version", [0, 1])
def test_orders_fit_the_workflow_of_their_version_but_for_known_deviations(
    version: int, samples: dict[str, SampleLog], orders: pl.DataFrame
) -> None:
    model = samples["order_to_cash"].models[version]
    instances = orders.filter(process_version=model.version)
    assert _misfits(model.path, instances) == _deviating(instances)


def test_closed_claims_fit_their_workflow(
    samples: dict[str, SampleLog], claims: pl.DataFrame
) -> None:
    closed = claims.filter(status="completed", lifecycle="complete")
    instances = closed.rename({"timestamp": "completed_at"})
    assert _misfits(samples["insurance_claims"].models[0].path, instances) == set()


def test_finished_hires_fit_their_workflow(
    samples: dict[str, SampleLog], hires: pl.DataFrame
) -> None:
    ended = hires.drop_nulls("completed_at")
    finished = ended.filter((pl.col("activity") == "Onboarding abschließen").any().over("case_id"))
    assert _misfits(samples["employee_onboarding"].models[0].path, finished) == set()


def _opened(path: Path) -> Any:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import pm4py

        return pm4py.read_bpmn(str(path))


def _deviating(instances: pl.DataFrame) -> set[str]:
    cases = instances.sort("completed_at", maintain_order=True).group_by("case_id")
    names = pl.col("activity").list
    count = names.count_matches
    undecided = count("Check credit") > count("Approve order") + count("Reject order")
    is_new = pl.col("process_version") == "v2"
    stock_not_first = is_new & (names.get(1) != "Check stock")
    found = cases.agg("activity", pl.col("process_version").first()).filter(
        undecided | names.contains("Call customer") | stock_not_first
    )
    return set(found["case_id"])


def _misfits(path: Path, instances: pl.DataFrame) -> set[str]:
    """The cases whose sequence of completions the workflow does not allow."""
    graph = _opened(path)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import pm4py

        net, initial, final = pm4py.convert_to_petri_net(graph)
        cases = instances.sort("completed_at", maintain_order=True).group_by("case_id")
        variants = (
            cases.agg("activity")
            .group_by("activity")
            .agg("case_id", pl.col("case_id").min().alias("variant"))
        )
        variants = variants.sort("variant")  # pm4py answers in order of the ids
        log = variants.explode("activity").with_columns(
            at=pl.datetime(2026, 1, 1) + pl.duration(minutes=pl.int_range(pl.len()))
        )
        frame = pm4py.format_dataframe(
            log.select("variant", "activity", "at").to_pandas(),
            case_id="variant",
            activity_key="activity",
            timestamp_key="at",
        )
        replayed = pm4py.conformance_diagnostics_alignments(frame, net, initial, final)
    cases_of = variants["case_id"].to_list()
    return {
        case
        for result, same in zip(replayed, cases_of, strict=True)
        if result["fitness"] < 1
        for case in same
    }
