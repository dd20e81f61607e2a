"""Employee onboarding: a German export with semicolons, local times and its own code page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from sample_logs import truths
from sample_logs.bpmn import Node, Workflow, tasks
from sample_logs.files import csv_bytes
from sample_logs.sample import ModelledWorkflow, Sample, Value
from sample_logs.simulation import (
    BERLIN,
    MINUTE,
    Execution,
    Flow,
    Job,
    Simulation,
    arrivals,
    days,
    instant,
    machines,
    moment,
    parallel,
    people,
    run,
)

CASES = 400
EXTRACTED = instant(datetime(2026, 6, 30, 15, tzinfo=BERLIN))
SLOW_ADMINISTRATOR = "Jürgen Möller"
HEADER = (
    "Vorgang",
    "Tätigkeit",
    "Beginn",
    "Ende",
    "Bearbeiter",
    "Abteilung",
    "Standort",
    "Vertragsart",
)


@dataclass(frozen=True)
class Hire:
    """A person who signed a contract."""

    case_id: str
    signed_at: int
    department: str
    place: str
    contract: str


@dataclass
class Company:
    """The simulation, and when each onboarding was finished."""

    simulation: Simulation
    finished_at: dict[str, int] = field(default_factory=dict)


def build(rng: Random) -> Sample:
    """Simulate hires from January to June 2026, exported at 15:00 of 30 June."""
    company = Company(Simulation(rng, _jobs(), grain=MINUTE))
    hires = _hires(rng)
    run((hire.signed_at, _onboarding(company, hire)) for hire in hires)
    executions = [e for e in company.simulation.executions if e.started_at <= EXTRACTED]
    return Sample(
        file="employee_onboarding.csv",
        source="csv",
        process="employee-onboarding",
        title="Employee onboarding",
        description=(
            "New employees from the signed contract to the end of their onboarding, as a German "
            "personnel system exports it: local times, semicolons, Windows-1252."
        ),
        owner="Human resources",
        content=_csv(executions, hires),
        options={
            "case": "Vorgang",
            "activity": "Tätigkeit",
            "start": "Beginn",
            "timestamp": "Ende",
            "resource": "Bearbeiter",
            "timezone": "Europe/Berlin",
        },
        format={
            "delimiter": ";",
            "encoding": "windows-1252",
            "timestamps": "%d.%m.%Y %H:%M, local time of Europe/Berlin",
        },
        models=(ModelledWorkflow(WORKFLOW),),
        counts=_counts(company, executions),
        truths=_truths(executions),
    )


def _jobs() -> dict[str, Job]:
    personnel = people("Käthe Böhm", "Günther Weiß", "Sofía Núñez")
    administrators = people(
        "Zoë Lefèvre",
        SLOW_ADMINISTRATOR,
        "Björn Åkesson",
        Jürgen={"Zugänge freischalten": 3.0},
    )
    workshop = people("Tomás García", "Lars Jäger")
    building = people("Rosa Groß", "Emil Köhler")
    team_leads = people("Anneliese Prüß", "René Dubois", "Ömer Çelik")
    return {
        "Vertrag erfassen": Job(personnel, 35 * MINUTE),
        "Personalakte anlegen": Job(machines("HR-Automat"), 1 * MINUTE, 0.3),
        "Arbeitsplatz vorbereiten": Job(building, 55 * MINUTE, 0.5),
        "Laptop einrichten": Job(workshop, 240 * MINUTE, 0.4),
        "Zugänge freischalten": Job(administrators, 40 * MINUTE, 0.4),
        "Zugänge prüfen": Job(team_leads, 15 * MINUTE),
        "Sicherheitsunterweisung durchführen": Job(building, 60 * MINUTE, 0.2),
        "Einführungsgespräch führen": Job(team_leads, 50 * MINUTE, 0.3),
        "Onboarding abschließen": Job(personnel, 20 * MINUTE),
    }


def _hires(rng: Random) -> list[Hire]:
    signed = arrivals(
        rng,
        CASES,
        [day for day in days(date(2026, 1, 5), date(2026, 6, 29)) if day.weekday() < 5],
        weight=lambda day: 1.0,
        hours=(8.0, 10.0, 18.0),
        grain=MINUTE,
    )
    return [
        Hire(
            case_id=f"EO-{number:04}",
            signed_at=at,
            department=rng.choice(
                ("Buchhaltung", "Einkauf", "Forschung \u2013 Labor", "Qualitätsprüfung", "Vertrieb")
            ),
            place=rng.choices(("Köln", "München", "Nürnberg", "Zürich"), (40, 30, 20, 10))[0],
            contract=rng.choices(("unbefristet", "befristet", "Werkstudent"), (65, 20, 15))[0],
        )
        for number, at in enumerate(signed, start=1)
    ]


def _onboarding(company: Company, hire: Hire) -> Flow:
    simulation, case_id = company.simulation, hire.case_id
    first = ("Vertrag erfassen", "Personalakte anlegen")
    now = yield from simulation.perform_all(case_id, first, hire.signed_at)
    now = yield from parallel(
        now,
        simulation.perform(case_id, "Arbeitsplatz vorbereiten", now),
        simulation.perform(case_id, "Laptop einrichten", now),
        _accounts(simulation, case_id, now),
    )
    last = (
        "Sicherheitsunterweisung durchführen",
        "Einführungsgespräch führen",
        "Onboarding abschließen",
    )
    company.finished_at[case_id] = yield from simulation.perform_all(case_id, last, now)
    return company.finished_at[case_id]


def _accounts(simulation: Simulation, case_id: str, now: int) -> Flow:
    while True:
        both = ("Zugänge freischalten", "Zugänge prüfen")
        now = yield from simulation.perform_all(case_id, both, now)
        if not simulation.chance(0.14):
            return now


def _csv(executions: Sequence[Execution], hires: Sequence[Hire]) -> bytes:
    known = {hire.case_id: hire for hire in hires}
    rows = []
    for done in sorted(executions, key=lambda each: (each.case_id, each.started_at)):
        hire = known[done.case_id]
        rows.append(
            (
                done.case_id,
                done.activity,
                _local(done.started_at),
                _local(done.completed_at) if done.completed_at <= EXTRACTED else None,
                done.resource,
                hire.department,
                hire.place,
                hire.contract,
            )
        )
    return csv_bytes(HEADER, rows, delimiter=";", encoding="windows-1252")


def _local(at: int) -> str:
    return moment(at, BERLIN).strftime("%d.%m.%Y %H:%M")


def _counts(company: Company, executions: Sequence[Execution]) -> dict[str, int]:
    known = {done.case_id for done in executions}
    completed = sum(done.completed_at <= EXTRACTED for done in executions)
    return {
        "rows": len(executions),
        "cases": len(known),
        "events": len(executions) + completed,
        "activity_instances": len(executions),
        "running_instances": len(executions) - completed,
        "activities": len({done.activity for done in executions}),
        "duplicates": 0,
        "late_events": 0,
        "open_cases": sum(company.finished_at[case_id] > EXTRACTED for case_id in known),
    }


def _truths(executions: Sequence[Execution]) -> list[dict[str, Value]]:
    completed = [done for done in executions if done.completed_at <= EXTRACTED]
    cases = {
        case_id: [done.activity for done in case]
        for case_id, case in truths.by_case(executions).items()
    }
    return [
        truths.bottleneck_of(executions),
        truths.slow_resource(completed, SLOW_ADMINISTRATOR, "Zugänge freischalten"),
        truths.rework(cases, "Zugänge freischalten"),
    ]


WORKFLOW = Workflow(
    "employee-onboarding",
    "v1",
    [
        Node("start", "start", "Vertrag unterschrieben", 0, 1),
        *tasks(
            1,
            ("contract", "user", "Vertrag erfassen", 1),
            ("file", "service", "Personalakte anlegen", 2),
        ),
        Node("split", "parallel", "", 3, 1),
        *tasks(0, ("place", "user", "Arbeitsplatz vorbereiten", 5)),
        *tasks(1, ("laptop", "user", "Laptop einrichten", 5)),
        Node("again", "exclusive", "", 3, 2),
        *tasks(
            2,
            ("unlock", "user", "Zugänge freischalten", 5),
            ("check", "user", "Zugänge prüfen", 6),
        ),
        Node("correct", "exclusive", "Zugänge richtig?", 7, 2),
        Node("join", "parallel", "", 8, 1),
        *tasks(
            1,
            ("safety", "user", "Sicherheitsunterweisung durchführen", 9),
            ("talk", "user", "Einführungsgespräch führen", 10),
            ("finish", "user", "Onboarding abschließen", 11),
        ),
        Node("end", "end", "Onboarding beendet", 12, 1),
    ],
    (
        "start > contract > file > split",
        "split > place > join",
        "split > laptop > join",
        "split > again > unlock > check > correct",
        "correct > again : nein",
        "correct > join : ja",
        "join > safety > talk > finish > end",
    ),
)
