"""From process models to BPMN diagrams."""

from __future__ import annotations

from miner.model.diagram import Diagram
from miner.model.net_diagram import diagram_of_net
from miner.model.process_model import ProcessModel
from miner.model.tree_diagram import diagram_of_tree


def model_diagram(model: ProcessModel) -> Diagram:
    """`model` as a BPMN process with the same complete traces.

    A process tree becomes blocks of gateways with straight flows. Of a net without a tree, places
    with several ways become exclusive gateways and transitions with several become parallel ones;
    where the net decides later than a gateway would, a case may get stuck in the diagram that would
    not get stuck in the net. The same model gives the same diagram.

    Raises InputError for a net with an arc of a weight other than 1.
    """
    if model.tree is None:
        return diagram_of_net(model.net)
    return diagram_of_tree(model.tree)
