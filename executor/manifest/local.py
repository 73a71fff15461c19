"""Owns the rule of the local profile, whatever the kind of manifest: each node that is called can be reached.

Must not read a command line.
"""

import os
from collections.abc import Collection, Sequence

from executor.errors import RequestError
from executor.graph import plan, spec
from executor.graph.builtin import BUILTINS
from executor.manifest import servers
from executor.manifest.document import Path
from executor.manifest.profile import Profile, Terms
from executor.manifest.shape import Report, hint, listing, nearest
from executor.storage import credentials, uri

PORT_MAX = 65535

Paths = dict[int, Path]
"""Where each spec node came from, by the node's id()."""


def check_reached(predictors: Sequence[spec.Predictor], paths: Paths, report: Report, terms: Terms) -> None:
    """Name every node that is called and has neither component nor endpoint, and every one given by mistake; and what
    can be told beforehand of those that are prepackaged servers here.
    """
    if terms.profile is not Profile.LOCAL:
        return
    nodes = [node for each in predictors if terms.predictor in (None, each.name) for node in each.graph.walk()]
    complete = True
    for node in nodes:
        at = paths[id(node)]
        given = node.name in (terms.reached or ())
        served = terms.prepackaged and node.implementation in servers.HERE and bool(node.model_uri)
        _check_ports(node.endpoint, at, report)
        if served and not given and not node.endpoint.reachable:
            _check_server(node, at, report)
        if terms.reached is not None and (given or not served):
            complete &= _check_node(node, at, report, given, terms)
    if terms.reached is not None and not terms.changed:
        _check_spare(nodes, paths, report, terms.reached, complete)


def unused(root: spec.Node, reached: Collection[str]) -> list[str]:
    """Those in `reached` that are for no node of the graph at `root`, or for one that is never called."""
    called = [node.name for node in root.walk() if plan.calls_of(node)]
    return sorted(set(reached).difference(called))


def _check_spare(
    nodes: Sequence[spec.Node], paths: Paths, report: Report, reached: Collection[str], complete: bool
) -> None:
    """What is for no node may be for one that comes with a changed file, unless it looks like a mistake: where a node
    lacks one, or has a name much like that.
    """
    names = [node.name for node in nodes]
    others = [name for name in names if name not in reached]
    needs = [(*paths[id(node)], field) for node in nodes for field in ("name", "children")]
    for name in sorted(set(reached).difference(names)):
        if not complete or nearest(name, others):
            message = f'a component or endpoint is given for "{name}", which is no node{hint(name, others)}'
            report.add((), f"{message}; nodes: {', '.join(names)}", needs)


def _check_node(node: spec.Node, at: Path, report: Report, given: bool, terms: Terms) -> bool:
    """Whether it can be called, if it is."""
    called = bool(plan.calls_of(node))
    if called and not given and not node.endpoint.reachable:
        message = f'node "{node.name}" has neither a component nor an endpoint'
        needs = [(*at, key) for key in ("name", "endpoint", "implementation")]
        report.add(at, message + _why(node, terms.prepackaged), needs)
        return False
    if given and not called and not terms.changed:
        what = node.implementation or node.type
        report.add(at, f'node "{node.name}" ({what}) is never called, so it takes no component or endpoint')
    return True


def _check_server(node: spec.Node, at: Path, report: Report) -> None:
    """What can be told of a server that runs here without its model."""
    known = servers.PARAMETERS[node.implementation]
    for each in node.parameters:
        where, allowed = (*at, "parameters"), known.get(each.name, ())
        if each.name not in (*known, servers.MODEL_URI):
            told = ", ".join(known) or "none"
            report.add(where, f"{node.implementation} takes no parameter {each.name!r}; allowed: {told}")
        elif allowed and each.value not in allowed:
            told = f"{each.name} of {node.implementation} cannot be {each.value!r}"
            report.add(where, f"{told}{hint(str(each.value), allowed)}{listing(allowed)}")
    try:
        uri.parse(node.model_uri, credentials.remotes(os.environ))
    except RequestError as error:
        report.add((*at, "modelUri"), error.message)


def _check_ports(end: spec.Endpoint, at: Path, report: Report) -> None:
    for key, port in (("service_port", end.port), ("httpPort", end.http_port), ("grpcPort", end.grpc_port)):
        if not 0 <= port <= PORT_MAX:
            report.add((*at, "endpoint", key), f"{port} is no port; allowed: 1 to {PORT_MAX}")


def _why(node: spec.Node, prepackaged: bool) -> str:
    """Why its implementation does not help."""
    name = node.implementation
    if not name or name in BUILTINS:
        return ""
    if name in servers.ELSEWHERE:
        return f"; {name} runs in a container of its own; say where it is (--endpoint)"
    if name in servers.HERE:
        return (
            f"; {name} needs a modelUri to run here"
            if prepackaged
            else f"; {name} runs here only where that is asked for"
        )
    return f"; {name} is no built-in{hint(name, [*BUILTINS, *servers.HERE])}"
