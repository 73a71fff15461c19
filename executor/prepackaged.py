"""Owns which nodes of a plan are prepackaged servers of this process, and what those are made with.

Must not make them, nor know how any of them works.
"""

from dataclasses import replace

from executor.graph.plan import Plan, PlanNode
from executor.graph.spec import Endpoint, Parameter
from executor.manifest import servers
from executor.settings import Prepackaged, RunSettings


def placed(plan: Plan, settings: RunSettings) -> tuple[Plan, RunSettings]:
    """The plan and the settings, with a component for each node that is such a server.

    As Seldon's operator does, the server is given the node's parameters and `model_uri`, which wins over one of them.
    """
    components = dict(settings.components)
    components |= {node.name: node.implementation for node in plan.nodes if _is_here(node, settings)}
    served = {name for name, target in components.items() if target in servers.HERE}
    if not served:
        return plan, settings
    nodes = tuple(_with_model(node) if node.name in served else node for node in plan.nodes)
    return replace(plan, nodes=nodes), replace(settings, components=components)


def _is_here(node: PlanNode, settings: RunSettings) -> bool:
    if node.implementation not in servers.HERE or not node.needs_endpoint or not node.model_uri:
        return False
    if node.name in settings.components or node.name in settings.endpoints:
        return False
    if settings.prepackaged is Prepackaged.UNREACHED:
        return not node.endpoint.reachable
    return settings.prepackaged is Prepackaged.IN_PROCESS


def _with_model(node: PlanNode) -> PlanNode:
    """The node, told where its model is. It has no address any more: nothing is to be looked for there."""
    if not node.model_uri:
        return node
    others = tuple(each for each in node.parameters if each.name != servers.MODEL_URI)
    uri = Parameter(servers.MODEL_URI, node.model_uri, "STRING", node.model_uri)
    return replace(node, parameters=(*others, uri), endpoint=Endpoint())
