"""Owns how tests write manifests, and how they read what is wrong with them."""

import textwrap

from executor import manifest
from executor.errors import ManifestError
from executor.graph.spec import Deployment, Node
from executor.manifest import Profile

HEAD = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: d}
"""


def whole(body: str) -> str:
    """A manifest whose line 4 is the first line of `body`."""
    return HEAD + textwrap.dedent(body)


def problems(text: str, profile: Profile = Profile.CLUSTER) -> list[tuple[int | None, str, str]]:
    try:
        manifest.load_all(text, profile)
    except ManifestError as error:
        return [(each.line, each.path, each.message) for each in error.problems]
    return []


def loaded(text: str, profile: Profile = Profile.CLUSTER) -> Deployment:
    (deployment,) = manifest.load_all(text, profile)
    return deployment


def graph(text: str, profile: Profile = Profile.LOCAL) -> Node:
    return loaded(text, profile).predictors[0].graph


def local(unit: str) -> str:
    """A manifest with one predictor whose graph is `unit`, in line 7."""
    return whole(f"spec:\n  predictors:\n  - name: p\n    graph: {unit}\n")
