"""Owns `millrace check`: is a manifest right, and what does it look like.

Must not hold any rule: `executor.manifest` does.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from executor import errors, options

if TYPE_CHECKING:
    from executor.graph import spec

PURPOSE = "check a manifest and draw its graph"
EPILOG = """\
Prints every problem of the file with its line and exits with 2, or prints the graphs and exits with 0.

examples:
  millrace check deployment.yaml                 against the rules of a cluster: nodes are containers
  millrace check graph.yaml --local              against those of `millrace run`: components or endpoints
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints the graphs of a manifest; the exit status. Raises `errors.ManifestError` with all that is wrong."""
    from executor import manifest
    from executor.graph import plan

    reached = [*parsed.component, *parsed.endpoint]
    profile = manifest.Profile.LOCAL if parsed.local or reached else manifest.Profile.CLUSTER
    source, chosen = Path(parsed.manifest), (parsed.document, parsed.predictor)
    if chosen == (None, None):
        found = [
            (deployment, predictor)
            for deployment in manifest.load_all(source, profile, reached or None, prepackaged=True)
            for predictor in deployment.predictors
        ]
    else:
        one = manifest.load(
            source, profile, document=chosen[0], predictor=chosen[1], reached=reached or None, prepackaged=True
        )
        found = [(one.deployment, one.predictor)]
    wrong = [problem for _, predictor in found for problem in _unloggable(predictor.graph)]
    if wrong:
        raise errors.ManifestError(wrong, parsed.manifest)
    for deployment, predictor in found:
        print(plan.tree(plan.compile_plan(predictor, deployment.name)))
        for note in _notes(predictor.graph, profile is manifest.Profile.LOCAL and not reached):
            print(f"note: {note}")
    used = [set(reached).difference(manifest.unused(predictor.graph, reached)) for _, predictor in found]
    for name in sorted(set(reached).difference(*used)):
        print(f'note: no node uses the component or endpoint of "{name}"')
    print(f"{parsed.manifest}: ok, {len(found)} graph{'s' if len(found) != 1 else ''}, by the {profile.value} rules")
    return 0


def _unloggable(root: "spec.Node") -> Iterator[errors.Problem]:
    """Loggers that could log nothing. A cluster takes them; requests fail there, or go on without being logged."""
    from executor.rest import sinks

    for node in root.walk():
        if node.logger is not None and node.logger.url:
            try:
                sinks.parse(node.logger.url, f'url of node "{node.name}"')
            except errors.RequestError as error:
                yield errors.Problem(f"{node.path}.logger.url", error.message, node.line)


def _notes(root: "spec.Node", unreached: bool) -> Iterator[str]:
    """What is right, but may not be meant. `unreached`: nothing is said of how nodes are reached."""
    from executor.graph import plan
    from executor.graph.builtin import BUILTINS
    from executor.manifest import servers, shape

    known = (*servers.HERE, *servers.ELSEWHERE)
    for node in root.walk():
        name = node.implementation
        if name and name not in BUILTINS and name not in known:
            close = shape.hint(name, [*BUILTINS, *known])
            unknown = f"{name} is neither built in nor a server of Seldon's{close}"
            yield f'node "{node.name}": {unknown}; it is taken for a server of your own'
    lacking = [node.name for node in root.walk() if plan.calls_of(node) and not node.endpoint.reachable]
    here = {node.name for node in root.walk() if node.implementation in servers.HERE and node.model_uri}
    lacking = [name for name in lacking if name not in here]
    if unreached and lacking:
        yield f"`millrace run` needs a --component or an --endpoint for {', '.join(lacking)}"


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_choice(parser)
    parser.add_argument("--local", action="store_true", help="check for `millrace run` instead of for a cluster")
