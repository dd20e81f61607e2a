"""Models for tests, written as process trees."""

from __future__ import annotations

from miner.conformance.held import Held, hold
from miner.conformance.workflows import Workflows, of_model
from miner.eventlog.log import EventLog
from miner.eventlog.store import EventStore
from miner.model.process_model import ProcessModel
from miner.model.process_tree import Operator, ProcessTree, activity, tree
from miner.model.tree_net import net_of_tree


def sequence(*labels: str) -> ProcessTree:
    return tree(Operator.SEQUENCE, *map(activity, labels))


def choice(*labels: str) -> ProcessTree:
    return tree(Operator.EXCLUSIVE, *map(activity, labels))


def model_of(process_tree: ProcessTree, version: str | None = None) -> ProcessModel:
    net = net_of_tree(process_tree)
    return ProcessModel("model", net, "process-tree", str(process_tree), process_tree, version)


def held_against(log: EventLog, process_tree: ProcessTree, store: EventStore | None = None) -> Held:
    return hold(log, workflows_of(log, process_tree), store=store)


def workflows_of(log: EventLog, process_tree: ProcessTree) -> Workflows:
    return of_model(log, model_of(process_tree))
