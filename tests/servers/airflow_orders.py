"""A DAG with a known number of everything, and the people who work with it."""

from __future__ import annotations

from tests.servers.airflow import Airflow
from tests.servers.waiting import until

DAG = """
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task

MONEY = Path(__file__).parent.parent / "money"
again = timedelta(seconds=1)


@dag(schedule=None, catchup=False, default_args={"retry_delay": again})
def orders():
    @task(retries=1)
    def check(ti=None):
        if ti.try_number == 1:
            raise ValueError("the warehouse is asleep")

    @task
    def pack(line):
        return line

    @task.branch
    def choose():
        return "ship"

    @task
    def ship():
        pass

    @task
    def store():
        pass

    @task
    def charge():
        if not MONEY.exists():
            raise KeyError("no money")

    @task
    def archive():
        pass
    %s
    approve = ApprovalOperator(task_id="approve", subject="May it be charged?")
    shipped, stored = ship(), store()
    check() >> pack.expand(line=[1, 2]) >> choose() >> [shipped, stored]
    shipped >> approve >> charge() >> archive()%s


orders()
"""
FIRST = DAG % ("", "")
SECOND = DAG % ("\n    @task\n    def thank():\n        pass\n", " >> thank()")


class Orders:
    """Runs of the DAG."""

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow

    def start(self, run: str) -> None:
        self.airflow.ask("/dags/orders/dagRuns", {"dag_run_id": run, "logical_date": None})

    def state(self, run: str, task: str = "") -> str | None:
        path = f"/dags/orders/dagRuns/{run}" + (f"/taskInstances/{task}" if task else "")
        return str(self.airflow.ask(path)["state"])

    def wait(self, run: str, *states: str) -> None:
        until(lambda: self.state(run) in states)

    def approve(self, run: str) -> None:
        """Ada approves as soon as she is asked."""
        path = f"/dags/orders/dagRuns/{run}"
        until(lambda: self.airflow.ask(f"{path}/hitlDetails")["hitl_details"])
        # Answered before it waits, the task would wait for ever.
        until(lambda: self.state(run, "approve") in ("awaiting_input", "deferred"))
        # Answered before the scheduler has seen its process end, the task would count as failed.
        for _ in range(2):
            seen = self._beat()
            until(lambda seen=seen: self._beat() != seen)  # type: ignore[misc]
        answer = {"chosen_options": ["Approve"], "params_input": {}}
        asked = f"{path}/taskInstances/approve/-1/hitlDetails"
        self.airflow.ask(asked, answer, method="PATCH")

    def _beat(self) -> str:
        return str(self.airflow.ask("/monitor/health")["scheduler"]["latest_scheduler_heartbeat"])

    def pay(self) -> None:
        """From now on, charging works."""
        (self.airflow.dags.parent / "money").touch()

    def clear(self, run: str) -> None:
        """Ada has what failed done again, and what comes after it."""
        asked = {"dry_run": False, "dag_run_id": run, "task_ids": ["charge"],
                 "only_failed": False, "include_downstream": True}  # fmt: skip
        self.airflow.ask("/dags/orders/clearTaskInstances", asked)

    def deploy(self, text: str) -> None:
        """A new version of the DAG, as soon as Airflow has seen it."""
        known = len(self.versions())
        unseen = self.airflow.dags.parent / "orders.py"
        unseen.write_text(text, encoding="utf-8")
        unseen.replace(self.airflow.dags / "orders.py")
        until(lambda: len(self.versions()) > known)

    def versions(self) -> list[int]:
        found = self.airflow.ask("/dags/orders/dagVersions")["dag_versions"]
        return [each["version_number"] for each in found]


def first_run(orders: Orders) -> None:
    """One run: a retry, two mapped packings, one branch, an approval, and a charge that fails."""
    airflow = orders.airflow
    until(lambda: airflow.ask("/dags")["total_entries"] == 1)
    airflow.ask("/dags/orders", {"is_paused": False}, method="PATCH")
    orders.start("run-1")
    orders.approve("run-1")
    orders.wait("run-1", "failed", "success")
