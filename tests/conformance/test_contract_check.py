"""`procession check` holds a process to its contract, and says which promise is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from miner.conformance.contract import read_contract
from miner.conformance.contract_check import Figure, check
from miner.errors import InputError, MinerError
from tests.commands import run
from tests.conftest import ROOT
from tests.logs import log_of

LOG = """case_id,activity,timestamp,resource,region
c1,Order,2026-01-05T08:00:00Z,ann,EU
c1,Approve,2026-01-05T09:00:00Z,bob,EU
c1,Pay,2026-01-05T10:00:00Z,bob,EU
c2,Order,2026-01-06T08:00:00Z,ann,US
c2,Pay,2026-01-06T09:00:00Z,eve,US
c2,Approve,2026-01-06T12:00:00Z,bob,US
"""
CONTRACT = """process: p
budgets:
  p95_cycle_time_at_most: 5h
rules:
  - {name: approve-first, template: precedence, first: Approve, then: Pay}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(LOG)
    result = run(tmp_path, "load", "csv", str(tmp_path / "log.csv"), "--process", "p")
    assert result.exit_code == 0, result.stderr
    return tmp_path


def written(folder: Path, text: str, name: str = "contract.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def outcomes(text: str) -> dict[str, str]:
    return {each["check"]: each["outcome"] for each in json.loads(text)["checks"]}


def test_a_breach_ends_with_one_and_is_said_in_words(folder: Path) -> None:
    result = run(folder, "check", written(folder, CONTRACT))
    assert result.exit_code == 1
    assert outcomes(result.stdout) == {"p95 cycle time": "passed", "rule approve-first": "failed"}
    assert "Violated 1 times in 1 of 2 cases" in result.stderr


def test_what_is_allowed_of_a_rule_passes(folder: Path) -> None:
    allowed = "allowed: {approve-first: {violations_at_most: 1, violation_rate_at_most: 0.4}}\n"
    result = run(folder, "check", written(folder, CONTRACT + allowed))
    found = outcomes(result.stdout)
    assert found["rule approve-first"] == "passed"
    assert found["rule approve-first (rate)"] == "failed"


def test_filters_choose_the_cases(folder: Path) -> None:
    filters = "filters:\n  - since: 2026-01-05\n  - not starts-with: Pay\n  - until: 2026-01-05\n"
    result = run(folder, "check", written(folder, CONTRACT + filters))
    assert result.exit_code == 0
    assert [each["cases"] for each in json.loads(result.stdout)["checks"]] == [1, 1]


def test_a_warning_is_noted_and_does_not_fail(folder: Path) -> None:
    text = CONTRACT.replace("then: Pay", "then: Pay, severity: warning")
    result = run(folder, "check", written(folder, text))
    assert result.exit_code == 0
    assert outcomes(result.stdout)["rule approve-first"] == "noted"


def test_too_few_cases_decide_nothing_but_a_count_above_its_limit_does(folder: Path) -> None:
    few = CONTRACT + "at_least_cases: 50\n"
    result = run(folder, "check", written(folder, few))
    assert outcomes(result.stdout) == {
        "p95 cycle time": "undecided",
        "rule approve-first": "failed",
    }
    few = few.replace("first: Approve, then: Pay", "first: Order, then: Pay")
    assert run(folder, "check", written(folder, few)).exit_code == 1
    result = run(folder, "check", written(folder, few + "undecided: pass\n"))
    assert result.exit_code == 0
    assert set(outcomes(result.stdout).values()) == {"undecided"}


def test_what_the_log_does_not_say_is_undecided(folder: Path) -> None:
    text = "process: p\nbudgets: {failure_rate_at_most: 0.1}\n"
    result = run(folder, "check", written(folder, text))
    assert result.exit_code == 1
    assert outcomes(result.stdout) == {"failure rate": "undecided"}
    assert "The log does not say what the failure rate is." in result.stderr


def test_a_baseline_tells_what_got_worse_and_better(folder: Path) -> None:
    before = folder / "before.json"
    run(folder, "check", written(folder, CONTRACT), "--save", str(before))
    run(folder, "load", "csv", written(folder, LOG.replace("c1", "c3").replace("c2", "c4")
        .replace("2026-01-06T12", "2026-01-06T18"), "more.csv"), "--process", "p")  # fmt: skip
    more = CONTRACT + "  - {name: new-rule, template: existence, activity: Order}\n"
    result = run(folder, "check", written(folder, more), "--baseline", str(before))
    found = {each["check"]: each["change"] for each in json.loads(result.stdout)["checks"]}
    assert found == {
        "p95 cycle time": "worse", "rule approve-first": "worse", "rule new-rule": "new",
    }  # fmt: skip
    assert "Worse than before: p95 cycle time, rule approve-first." in result.stderr
    same = run(folder, "check", written(folder, "process: p\nbudgets: {open_cases_at_most: 0}\n"
               f"baseline: {before.name}\n"), "--format", "csv")  # fmt: skip
    assert ",gone," in same.stdout


SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:complexType name="said"><xs:simpleContent><xs:extension base="xs:string">
  <xs:attribute name="message"/><xs:attribute name="type" use="required"/>
</xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="case"><xs:choice minOccurs="0">
  <xs:element name="skipped"/><xs:element name="failure" type="said"/></xs:choice>
  <xs:attribute name="name" type="xs:token" use="required"/>
  <xs:attribute name="classname" type="xs:token" use="required"/>
  <xs:attribute name="time" type="xs:decimal" use="required"/></xs:complexType>
<xs:complexType name="property"><xs:attribute name="name" use="required"/>
  <xs:attribute name="value" use="required"/></xs:complexType>
<xs:complexType name="suite"><xs:sequence>
  <xs:element name="properties"><xs:complexType><xs:sequence>
    <xs:element name="property" type="property" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="testcase" type="case" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="system-out"/><xs:element name="system-err"/></xs:sequence>
  <xs:attribute name="name" type="xs:token" use="required"/>
  <xs:attribute name="package" type="xs:token" use="required"/>
  <xs:attribute name="id" type="xs:int" use="required"/>
  <xs:attribute name="hostname" type="xs:token" use="required"/>
  <xs:attribute name="timestamp" type="xs:dateTime" use="required"/>
  <xs:attribute name="tests" type="xs:int" use="required"/>
  <xs:attribute name="failures" type="xs:int" use="required"/>
  <xs:attribute name="errors" type="xs:int" use="required"/>
  <xs:attribute name="skipped" type="xs:int"/>
  <xs:attribute name="time" type="xs:decimal" use="required"/></xs:complexType>
<xs:element name="testsuites"><xs:complexType><xs:sequence>
  <xs:element name="testsuite" type="suite" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""


def test_build_servers_can_read_the_result(folder: Path) -> None:
    junit = folder / "junit.xml"
    text = CONTRACT.replace("approve-first", '"a & <b>\\x01"') + "at_least_cases: 9\n"
    run(folder, "check", written(folder, text + "undecided: pass\n"), "--junit", str(junit))
    found = etree.fromstring(junit.read_bytes())
    etree.XMLSchema(etree.fromstring(SCHEMA)).assertValid(found)
    assert [case.get("name") for case in found.iter("testcase")] == [
        "p95 cycle time", "rule a & <b>\N{REPLACEMENT CHARACTER}",
    ]  # fmt: skip
    assert len(found.findall(".//failure")) == 1
    assert len(found.findall(".//skipped")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("process: p\nbudgets: {p95_cycle_tim_at_most: 2h}", "line 2: There is no key named"),
        ("process: p\nbudgets: {failure_rate_at_most: 5}", "failure_rate_at_most is '5'"),
        ("process: p\nbudgets: {failure_rate_at_most: nan}", "failure_rate_at_most is 'nan'"),
        ("process: p\nbudgets: {p95_cycle_time_at_most: soon}", "no duration"),
        ("process: p\nfilters: [{snce: 2026}]\nrules: none.yaml", "none.yaml cannot be read"),
        ("process: p\nfilters: [{snce: 2026}]\nbudgets: {open_cases_at_most: 1}", "'snce'"),
        ("process: p\nbudgets: {open_cases_at_most: 1}\nallowed: {x: {}}", "no rule named 'x'"),
        ("process: p", "neither budgets nor rules"),
        ("budgets: {open_cases_at_most: 1}", "no 'process'"),
        ("process: q\nbudgets: {open_cases_at_most: 1}", "no process named 'q'"),
        ("process: p\nbudgets: {open_cases_at_most: 1}\nbaseline: log.csv", "no result of an"),
        ("process: p\nbudgets: [", "this is no YAML"),
    ],
)
def test_a_bad_file_ends_with_two_and_a_sentence(folder: Path, text: str, said: str) -> None:
    result = run(folder, "check", written(folder, text))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr


def test_figures_of_others_can_be_supplied(tmp_path: Path) -> None:
    path = Path(written(tmp_path, "process: log\nbudgets: {fitness_at_least: 0.9}"))
    contract = read_contract(path)
    log = log_of({"c1": "A@0"})
    for value, outcome in ((0.95, "passed"), (0.85, "failed"), (None, "undecided")):
        suppliers = {"fitness": lambda _log, value=value: {"fitness": Figure(value, 1)}}
        assert check(contract, log, suppliers).checks[0].outcome == outcome


def test_contracts_and_rules_that_are_no_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_contract(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MinerError, match="UTF-8"):
        read_contract(tmp_path / "binary.yaml")


def test_the_budgets_of_the_page_are_the_ones_there_are() -> None:
    from miner.conformance.contract import MEASURES
    from miner.conformance.rules.parsing import TEMPLATES

    contracts = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    rules = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert [name for name in MEASURES if f"`{name}`" not in contracts] == []
    assert [name for name in TEMPLATES if f"| `{name}`" not in rules] == []
