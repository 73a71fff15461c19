"""Owns the rule of the local profile, whatever the kind of manifest: each node that is called can be reached.

Must not read a command line.
"""

from collections.abc import Sequence

from executor.graph import plan, spec
from executor.graph.builtin import BUILTINS
from executor.manifest import servers
from executor.manifest.document import Path
from executor.manifest.profile import Profile, Terms
from executor.manifest.shape import Report, hint

Paths = dict[int, Path]
"""Where each spec node came from, by the node's id()."""


def check_reached(predictors: Sequence[spec.Predictor], paths: Paths, report: Report, terms: Terms) -> None:
    """Name every node that is called and has neither component nor endpoint, and every one given in vain."""
    if terms.profile is not Profile.LOCAL or terms.reached is None:
        return
    nodes = [node for each in predictors if terms.predictor in (None, each.name) for node in each.graph.walk()]
    for node in nodes:
        given = node.name in terms.reached
        if given or not (terms.prepackaged and node.implementation in servers.HERE and node.model_uri):
            _check_node(node, paths[id(node)], report, given, terms.prepackaged)
    names = [node.name for node in nodes]
    needs = [(*paths[id(node)], field) for node in nodes for field in ("name", "children")]
    for name in sorted(set(terms.reached).difference(names)):
        message = f'a component or endpoint is given for "{name}", which is no node{hint(name, names)}'
        report.add((), f"{message}; nodes: {', '.join(names)}", needs)


def _check_node(node: spec.Node, at: Path, report: Report, given: bool, prepackaged: bool) -> None:
    called = bool(plan.calls_of(node))
    if called and not given and not node.endpoint.reachable:
        message = f'node "{node.name}" has neither a component nor an endpoint'
        needs = [(*at, key) for key in ("name", "endpoint", "implementation")]
        report.add(at, message + _why(node, prepackaged), needs)
    elif given and not called:
        what = node.implementation or node.type
        report.add(at, f'node "{node.name}" ({what}) is never called, so it takes no component or endpoint')


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
