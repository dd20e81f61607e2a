"""What people call the columns of an event log, in the languages and systems they use.

Names are compared without case, accents and separators (`normalised`). Earlier ones are preferred.
"""

from __future__ import annotations

import re
import unicodedata

UNDECOMPOSED = str.maketrans({"ß": "ss", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae"})


def normalised(name: str) -> str:
    """A name without case, accents and separators: `Numéro_de Dossier` is `numerodedossier`."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(UNDECOMPOSED))
    return "".join(c for c in decomposed if c.isalnum() and not unicodedata.combining(c))


def words(name: str) -> list[str]:
    """The words of a name: `orderId`, `order_id` and `Order ID` are `order` and `id`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [normalised(word) for word in re.split(r"[\W_]+", apart) if normalised(word)]


def listed(text: str) -> tuple[str, ...]:
    """The words of a text, which read better in a text than in a tuple."""
    return tuple(text.split())


CASE = listed(
    "caseconceptname caseid case casekey caseidentifier casenumber caseno casenr casename casenum "
    "caseref casereference caseuuid traceid trace tracename processinstanceid processinstance "
    "procinstid processinstancekey workflowinstanceid workflowid workflowrunid idcase "
    "fallid fall fallnummer fallnr fallkennung vorgang vorgangsid vorgangsnummer vorgangsnr "
    "vorgangid aktenzeichen prozessinstanz prozessinstanzid "
    "idcas cas dossier dossierid iddossier numerodossier numerodedossier nodossier identifiantcas "
    "caso casoid idcaso idecaso iddecaso iddelcaso numerocaso numerodecaso numerodelcaso casoclave "
    "expediente expedienteid idexpediente numeroexpediente numerodeexpediente "
    "pratica praticaid idpratica numeropratica zaak zaakid zaaknummer zaaknr dossiernummer "
    "processo idprocesso numeroprocesso numerodoprocesso iddoprocesso iddocaso "
    "sprawa sprawaid idsprawy numersprawy nrsprawy idprzypadku przypadek "
    "arende arendeid arendenummer arendenr fallnummer "
    "vaka vakaid vakano vakanumarasi dosyano dosyaid surecid surecno "
    "sag sagid sagsnummer sagsnr sak sakid saksnummer saksnr tapaus tapausid "
    "案例 案例id 案例编号 案件 案件id 案件编号 流程实例id ケース ケースid 事例id 案件番号 "
    "дело номердела кейс идентификаторслучая случай 케이스 케이스id"
)

ACTIVITY = listed(
    "conceptname activity activityname activityen activitykey activitydescription activitylabel "
    "eventname event task taskname step stepname processstep action actionname "
    "aktivitat aktivitaet aktivitatsname aktivitatname tatigkeit taetigkeit arbeitsschritt "
    "prozessschritt schritt vorgangsschritt ereignis aktion aufgabe activityde "
    "activite tache etape evenement nomactivite nomdelactivite libelleactivite "
    "actividad nombreactividad nombredelaactividad tarea paso evento accion "
    "attivita nomeattivita compito passo azione fase "
    "activiteit activiteitnaam taak stap gebeurtenis handeling processtap "
    "atividade nomedaatividade tarefa etapa acao passo "
    "czynnosc aktywnosc nazwaczynnosci nazwaaktywnosci zadanie krok zdarzenie "
    "aktivitet aktivitetsnamn uppgift steg handelse atgard handelsetyp "
    "aktivite aktiviteadi faaliyet gorev adim olay islem "
    "toiminto tehtava 活动 活动名称 活動 活動名称 アクティビティ 作業 作業名 イベント "
    "активность действие операция событие этап 활동 활동명"
)
MAYBE_ACTIVITY = listed(
    "incidentstate ticketstate orderstate casestate state status statut estado stato stan durum "
    "eventtype operation operationname transaction messagename elementname name actname"
)

TIMESTAMP = listed(
    "timetimestamp timestamp eventtimestamp eventtime eventdatetime eventdate activitytimestamp "
    "activitytime activitydate datetime dateandtime datetimestamp timestamputc utctimestamp "
    "occurredat occurred loggedat executedat performedat ts time date "
    "zeitstempel zeitpunkt ereigniszeit ereigniszeitpunkt datumuhrzeit datumundzeit datumzeit "
    "datum zeit "
    "horodatage horodate dateheure dateetheure dateevenement "
    "fechahora fechayhora marcadetiempo marcatemporal selladodetiempo fechaevento fecha "
    "dataora dataeora marcatemporale timestampevento dataevento datahora dataehora "
    "carimbodedatahora carimbodatahora data "
    "tijdstip tijdstempel datumtijd datumentijd tijd "
    "znacznikczasu datagodzina dataigodzina dataczas dataiczas czas datazdarzenia "
    "tidsstampel tidpunkt datumtid datumochtid tid tidsstempel tidspunkt "
    "zamandamgasi tarihsaat tarihvesaat islemtarihi olaytarihi tarih zaman aikaleima "
    "sysupdatedat sysupdatedon updatedat updatedon changedat changedon modifiedat modifiedon "
    "lastmodified createdat createdon syscreatedat syscreatedon udate erdat cpudt budat "
    "时间戳 时间 日期 發生時間 タイムスタンプ 日時 時刻 "
    "меткавремени времясобытия датавремя датаивремя время дата 타임스탬프 시간"
)
COMPLETED = listed(
    "completetimestamp completiontimestamp completedtimestamp completiontime completetime "
    "completiondate completedate completedat completed complete endtimestamp endtime enddatetime "
    "enddate endedat end endts finishtimestamp finishtime finishdate finishedat finish finished "
    "stoptime stoppedat stop timeend timeto activityend activityendtime eventend ended "
    "endezeit endzeit endzeitpunkt endzeitstempel enddatum ende abgeschlossenam beendetam "
    "datefin datedefin heurefin heuredefin fin horodatagefin fechafin fechadefin horafin "
    "fechahorafin fechafinalizacion datafine datadifine orafine fine "
    "eindtijd eindtijdstip einddatum einde eind datafim datadefim horafim fim datatermino "
    "datazakonczenia czaszakonczenia koniec zakonczenie sluttid sluttidpunkt slutdatum slut "
    "bitis bitistarihi bitiszamani 结束时间 完成时间 終了時刻 終了日時 完了日時 "
    "конец окончание времяокончания датаокончания"
)
START = listed(
    "starttimestamp startedtimestamp starttime startdatetime startdate startedat started start "
    "startts begintimestamp begintime begindate begin began timestart timefrom activitystart "
    "activitystarttime eventstart "
    "startzeit startzeitpunkt startzeitstempel startdatum beginn anfang anfangszeit begonnenam "
    "datedebut datededebut heuredebut heurededebut debut horodatagedebut fechainicio "
    "fechadeinicio horainicio fechahorainicio inicio datainizio datadiinizio orainizio inizio "
    "starttijd begintijd starttijdstip begindatum aanvang datainicio datadeinicio horainicio "
    "datarozpoczecia czasrozpoczecia poczatek rozpoczecie starttid starttidpunkt "
    "baslangic baslangictarihi baslangiczamani 开始时间 開始時刻 開始日時 "
    "начало времяначала датаначала"
)
RESOURCE = listed(
    "orgresource resource resourcename resourceid user username userid usr performer performedby "
    "executedby executor originator operator agent employee employeeid employeename worker staff "
    "handler processedby doneby sysupdatedby updatedby changedby modifiedby assignedto assignee "
    "owner actor usnam uname "
    "benutzer benutzername bearbeiter sachbearbeiter mitarbeiter ressource anwender ausfuhrender "
    "utilisateur nomutilisateur intervenant acteur employe executant "
    "recurso usuario nombreusuario empleado responsable ejecutor "
    "risorsa utente nomeutente operatore addetto esecutore "
    "medewerker gebruiker gebruikersnaam bron uitvoerder behandelaar hulpbron "
    "utilizador usuario funcionario executante colaborador responsavel "
    "zasob uzytkownik pracownik wykonawca wykonujacy "
    "resurs anvandare handlaggare medarbetare utforare bruger bruker ressurs "
    "kaynak kullanici calisan personel sorumlu "
    "资源 用户 执行者 执行人 リソース 担当者 ユーザー ресурс исполнитель пользователь сотрудник "
    "자원 담당자"
)
LIFECYCLE = listed(
    "lifecycletransition lifecycle lifecyclestate transition eventlifecycle lebenszyklus "
    "cycledevie ciclodevida ciclodivita levenscyclus cyklzycia livscykel yasamdongusu"
)
MAYBE_LIFECYCLE = listed("status state eventtype type transitiontype eventstatus registrationtype")

OBJECTS = listed(
    "order purchaseorder salesorder ticket incident problem change request servicerequest claim "
    "invoice bill application loan customer patient issue contract policy project shipment "
    "delivery item document salesdocument purchasingdocument payment transaction job batch "
    "permit complaint "
    "visit admission encounter episode workorder workitem call session lead opportunity candidate "
    "applicant student vehicle part product account quote offer requisition transfer return "
    "auftrag bestellung kundenauftrag rechnung antrag kunde lieferung beleg patient vertrag "
    "meldung anfrage beschwerde akte "
    "commande facture demande client livraison contrat reclamation sinistre "
    "pedido factura solicitud cliente reclamo siniestro contrato orden paciente "
    "ordine fattura richiesta reclamo sinistro contratto domanda paziente "
    "bestelling factuur aanvraag klant verzoek levering melding opdracht "
    "encomenda fatura requisicao solicitacao contrato chamado "
    "zamowienie faktura wniosek klient zgloszenie reklamacja umowa "
    "order faktura ansokan kund bestallning anmalan "
    "siparis fatura talep basvuru musteri sikayet "
    "vbeln ebeln belnr aufnr mblnr opbel "
    "订单 订单号 工单 注文 注文番号 заказ заявка обращение"
)
KEYS = listed(
    "id ids no nr num number nummer key ref reference code identifier uuid guid "
    "numero numer nomor n numara numarasi sayisi clave codigo codice kennung kenn номер"
)
FILLERS = listed("de del di do da du des la le el il the der den of")
NUMBER = listed("number nummer numero numer")
"""Names that say a number and not of what, as the incidents of ServiceNow do."""

# Names of our own format, always recognised for what they are.
OWN = {
    "event_id": listed("eventid eventuuid eventkey identityid"),
    "activity_id": listed("activityid"),
    "instance": listed(
        "instanceid instance conceptinstance activityinstance activityinstanceid "
        "activityinstancekey"
    ),
    "attempt": listed("attempt attemptnumber trynumber"),
    "resource_kind": listed("resourcekind resourcetype"),
    "error_type": listed("errortype errorclass"),
    "error_message": listed("errormessage errortext fehlermeldung"),
    "process_version": listed("processversion workflowversion"),
    "position": listed("position sequencenumber eventindex"),
    "case_status": listed("casestatus caseoutcome"),
    "parent_case_id": listed("parentcaseid"),
    "root_case_id": listed("rootcaseid"),
}


def is_object_key(name: str) -> bool:
    """Whether a name is that of a business object or its number: `order`, `Claim No`, `patient`."""
    whole = normalised(name)
    if whole in OBJECTS or whole in NUMBER:
        return True
    parts = [word for word in words(name) if word not in FILLERS]
    things = [word for word in parts if word not in KEYS]
    if things != parts and _is_thing("".join(things)):
        return True
    return any(whole.endswith(key) and _is_thing(whole.removesuffix(key)) for key in KEYS)


def _is_thing(word: str) -> bool:
    """Whether a word names a business object or a case, perhaps in a German compound."""
    return {word, word.removesuffix("s")} & {*OBJECTS, *CASE} != set()
