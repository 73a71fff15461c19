"""Owns the rule of the local profile, whatever the kind of manifest: each node that is called can be reached.

Must not know how a component or an endpoint is given on a command line.
"""

from collections.abc import Sequence

from executor.graph import plan, spec
from executor.graph.builtin import BUILTINS
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
        _check_node(node, paths[id(node)], report, node.name in terms.reached)
    names = [node.name for node in nodes]
    needs = [(*paths[id(node)], field) for node in nodes for field in ("name", "children")]
    for name in sorted(set(terms.reached).difference(names)):
        message = f'a component or endpoint is given for "{name}", which is no node{hint(name, names)}'
        report.add((), f"{message}; nodes: {', '.join(names)}", needs)


def _check_node(node: spec.Node, at: Path, report: Report, given: bool) -> None:
    called = bool(plan.calls_of(node))
    if called and not given and not node.endpoint.reachable:
        message = f'node "{node.name}" has neither a component nor an endpoint'
        if node.implementation and node.implementation not in BUILTINS:
            message += f"; {node.implementation} is no built-in{hint(node.implementation, BUILTINS)}"
        report.add(at, message, [(*at, "name"), (*at, "endpoint"), (*at, "implementation")])
    elif given and not called:
        what = node.implementation or node.type
        report.add(at, f'node "{node.name}" ({what}) is never called, so it takes no component or endpoint')
