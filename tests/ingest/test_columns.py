from __future__ import annotations

import polars as pl
import pytest

from ingest.tables.column_names import is_object_key, normalised
from ingest.tables.columns import Column, Roles, roles_of
from miner.errors import InputError, UnknownNameError

ROWS = 60
IDS = [f"k{i // 6}" for i in range(ROWS)]
WORDS = [["Create", "Check", "Pay", "Ship", "Bill", "Close"][i % 6] for i in range(ROWS)]
TIMES = [f"2026-01-{1 + i // 24:02} {i % 24:02}:00:00" for i in range(ROWS)]
LATER = [f"2026-02-{1 + i // 24:02} {i % 24:02}:00:00" for i in range(ROWS)]
PEOPLE = [f"p{i % 4}" for i in range(ROWS)]


def guessed(values: dict[str, list[str | None]], **given: str) -> Roles:
    frame = pl.DataFrame(values, schema=dict.fromkeys(values, pl.String))
    columns = [Column(name, f"c{i}") for i, name in enumerate(values)]
    return roles_of(columns, given, lambda: frame)


def names(roles: Roles) -> dict[str, str]:
    return {role: column.name for role, column in roles.columns.items()}


@pytest.mark.parametrize(
    ("case", "activity", "timestamp", "resource"),
    [
        ("case_id", "activity", "timestamp", "resource"),
        ("case:concept:name", "concept:name", "time:timestamp", "org:resource"),
        ("Case ID", "Activity", "Complete Timestamp", "Resource"),
        ("_CASE_KEY", "ACTIVITY_EN", "EVENTTIME", "USER_NAME"),
        ("CaseID", "ActivityName", "EventTime", "UserName"),
        ("number", "incident_state", "sys_updated_at", "sys_updated_by"),
        ("EBELN", "Activity", "Timestamp", "USNAM"),
        ("Order Number", "Step", "Date", "Employee"),
        ("Claim No.", "Task", "Date/Time", "Performer"),
        ("Fall-ID", "Aktivität", "Zeitstempel", "Bearbeiter"),
        ("Vorgangsnummer", "Tätigkeit", "Datum", "Mitarbeiter"),
        ("Auftragsnummer", "Prozessschritt", "Zeitpunkt", "Benutzer"),
        ("N° dossier", "Activité", "Horodatage", "Utilisateur"),
        ("numéro de commande", "Étape", "Date", "Ressource"),
        ("ID Caso", "Actividad", "Fecha y hora", "Recurso"),
        ("Número de pedido", "Tarea", "Fecha", "Usuario"),
        ("ID pratica", "Attività", "Data e ora", "Risorsa"),
        ("Zaaknummer", "Activiteit", "Tijdstip", "Medewerker"),
        ("ID do caso", "Atividade", "Data/hora", "Utilizador"),
        ("Nr sprawy", "Czynność", "Znacznik czasu", "Użytkownik"),
        ("Ärendenummer", "Händelse", "Tidpunkt", "Handläggare"),
        ("Vaka No", "Faaliyet", "Tarih", "Kullanıcı"),
        ("案件ID", "活动", "时间戳", "资源"),
        ("ケースID", "アクティビティ", "タイムスタンプ", "担当者"),
        ("Номер дела", "Операция", "Дата", "Исполнитель"),
    ],
)
def test_columns_are_known_by_their_names(
    case: str, activity: str, timestamp: str, resource: str
) -> None:
    found = guessed({resource: PEOPLE, timestamp: TIMES, "amount": IDS, activity: WORDS, case: IDS})
    assert names(found) == {
        "case": case,
        "activity": activity,
        "timestamp": timestamp,
        "resource": resource,
    }
    assert {note.subject: note.text for note in found.notes}["case"].startswith(
        f"column {case!r}, by its name"
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("start_time", "end_time"),
        ("Start Timestamp", "Complete Timestamp"),
        ("started_at", "completed_at"),
        ("start_timestamp", "time:timestamp"),
        ("Startzeit", "Endzeit"),
        ("Beginn", "Ende"),
        ("Date de début", "Date de fin"),
        ("Fecha inicio", "Fecha fin"),
        ("Data inizio", "Data fine"),
        ("Starttijd", "Eindtijd"),
        ("Data início", "Data fim"),
        ("Starttid", "Sluttid"),
        ("Başlangıç", "Bitiş"),
    ],
)
def test_start_and_end_are_known_by_their_names(start: str, end: str) -> None:
    found = names(guessed({"case": IDS, "activity": WORDS, end: LATER, start: TIMES}))
    assert (found["start"], found["timestamp"]) == (start, end)


def test_a_start_alone_is_when_it_happened() -> None:
    found = names(guessed({"case": IDS, "activity": WORDS, "start_time": TIMES}))
    assert found["timestamp"] == "start_time"
    assert "start" not in found


def test_dates_of_the_case_are_not_those_of_its_events() -> None:
    of_the_case = [f"2026-03-{1 + i // 6:02}" for i in range(ROWS)]
    found = names(
        guessed(
            {"case": IDS, "activity": WORDS, "end date": of_the_case, "start date": of_the_case}
            | {"changed_at": TIMES}
        )
    )
    assert found["timestamp"] == "changed_at"
    assert "start" not in found


def test_a_status_is_a_lifecycle_only_if_it_reads_like_one() -> None:
    cycle = ["start", "complete"] * (ROWS // 2)
    found = names(guessed({"case": IDS, "activity": WORDS, "timestamp": TIMES, "status": cycle}))
    assert found["lifecycle"] == "status"
    found = names(guessed({"case": IDS, "activity": WORDS, "timestamp": TIMES, "status": PEOPLE}))
    assert "lifecycle" not in found


def test_contents_decide_where_names_say_nothing() -> None:
    found = guessed({"f1": WORDS, "f2": TIMES, "f3": IDS})
    assert names(found) == {"case": "f3", "activity": "f1", "timestamp": "f2"}
    assert {note.text for note in found.notes} == {
        "column 'f1', by its contents",
        "column 'f2', by its contents",
        "column 'f3', by its contents",
    }


def test_what_contents_leave_open_is_asked_for() -> None:
    with pytest.raises(InputError) as caught:
        guessed({"f1": WORDS, "f2": TIMES, "f3": IDS, "f4": TIMES})
    assert "More than one column could be the timestamp: 'f2', 'f4'" in caught.value.message
    assert "--timestamp" in caught.value.hint
    with pytest.raises(InputError, match="looks like the timestamp"):
        guessed({"f1": WORDS, "f3": IDS})


def test_two_numbers_of_things_could_both_be_the_case() -> None:
    others = [f"o{i // 4}" for i in range(ROWS)]
    values = {"order_id": IDS, "invoice_id": others, "activity": WORDS, "timestamp": TIMES}
    with pytest.raises(InputError, match="'order_id', 'invoice_id'"):
        guessed(values)
    assert names(guessed(values, case="invoice_id"))["case"] == "invoice_id"


def test_names_that_differ_in_case_only_give_no_preference() -> None:
    with pytest.raises(InputError, match="'Case', 'case'"):
        guessed({"Case": IDS, "case": PEOPLE, "activity": WORDS, "timestamp": TIMES})


def test_a_given_column_has_to_exist() -> None:
    with pytest.raises(UnknownNameError) as caught:
        guessed({"order": IDS, "step": WORDS, "when": TIMES}, case="ordr")
    assert caught.value.hint == "Did you mean 'order'?"


def test_columns_of_the_case_are_nothing_else() -> None:
    found = names(
        guessed({"case": IDS, "activity": WORDS, "timestamp": TIMES, "case:resource": PEOPLE})
    )
    assert "resource" not in found


def test_words_are_no_positions_and_no_attempts() -> None:
    found = names(
        guessed(
            {"case": IDS, "activity": WORDS, "timestamp": TIMES, "position": PEOPLE, "attempt": IDS}
        )
    )
    assert not {"position", "attempt"} & found.keys()


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Numéro_de Dossier", "numerodedossier"), ("_CASE_KEY", "casekey"), ("Straße", "strasse")],
)
def test_names_are_compared_without_case_accents_and_separators(name: str, plain: str) -> None:
    assert normalised(name) == plain


def test_numbers_of_business_objects_are_known() -> None:
    for name in ("order_id", "Ticket", "claimNumber", "Rechnungsnr", "Número de factura"):
        assert is_object_key(name), name
    for name in ("amount", "id", "valid", "created"):
        assert not is_object_key(name), name
