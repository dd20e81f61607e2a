"""A shop at work on a real server: `python -m sample_logs.live PROGRAM PORT`.

Starts Temporal's development server on a port of the loopback address, works off orders on it and
ends both when it is told to, or when whoever started it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from sample_logs.live_orders import ACTIVITIES, WORKFLOWS, OrderFulfilment, chance

QUEUE = "shop"
SECONDS_BETWEEN_ORDERS = 0.7
SECONDS_UNTIL_NEWER = 20.0
"""After so long the newer version is deployed."""
PEOPLE = ("anna", "ben")


def main(program: str, port: str) -> None:
    """Run until SIGTERM."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    command = [program, "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", port, "--log-level", "error"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_until_told(f"127.0.0.1:{port}"))
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def _until_told(address: str) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    tasks = [asyncio.create_task(each) for each in (told.wait(), _orphaned(), _shop(address))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _orphaned() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.5)


async def _shop(address: str) -> None:
    client = await _connected(address, "shop@web")
    people = [await _connected(address, f"temporal-cli:{name}@desk") for name in PEOPLE]
    number = 0
    async with asyncio.TaskGroup() as orders:
        for build, seconds in (("2026.1", SECONDS_UNTIL_NEWER), ("2026.2", 3e7)):
            async with _worker(client, build):
                ends = asyncio.get_running_loop().time() + seconds
                while asyncio.get_running_loop().time() < ends:
                    number += 1
                    orders.create_task(_order(client, people, number, build == "2026.2"))
                    await asyncio.sleep(chance.expovariate(1 / SECONDS_BETWEEN_ORDERS))


def _worker(client: Client, build: str) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=list(WORKFLOWS),
        activities=list(ACTIVITIES),
        build_id=build,
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(seconds=2),
    )


async def _order(client: Client, people: list[Client], number: int, checked: bool) -> None:
    name, large = f"order-{number:05}", chance.random() < 0.3
    arguments: list[Any] = [name, large, checked]
    with suppress(RPCError):
        await client.start_workflow(OrderFulfilment.run, args=arguments, id=name, task_queue=QUEUE)
        if large:
            await asyncio.sleep(chance.uniform(2, 6))
            person = chance.choice(people)
            await person.get_workflow_handle(name).signal(OrderFulfilment.approve)


async def _connected(address: str, identity: str) -> Client:
    while True:
        try:
            return await Client.connect(address, identity=identity)
        except RuntimeError:
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
