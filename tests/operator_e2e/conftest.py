"""Owns the cluster that all tests in this folder share: `make envtest` runs them, in namespaces of their own.

Must not be collected by `make test` (pyproject.toml leaves the folder out): it needs Go, and minutes when first run.
"""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from envtest.inside import ADDRESS, FOLDER
from support.gateway.running import Gateway
from support.installed import Installed
from support.kube.cluster import Cluster
from support.kubelet.setup import ROOT, Image, python
from support.node import Node

from operator_lite import config

HASTE = 10.0
"""What probes of tests wait, in tenths of what their manifests say."""


def images() -> dict[str, Image]:
    """Commands that stand for images, for tests of the node and the gateway themselves."""
    http = python("-m", "http.server", "8000")
    ours = python("-P", "-m", "executor")
    told = python("-P", "-m", "executor", "microservice", f"{ROOT}/tests/support/told.py:Told")
    return {
        config.IMAGE: ours,
        "millrace/millrace:test": ours,
        "millrace/test-told:1": told,
        "millrace/test-http:1": http,
        "millrace/test-shell:1": Image(("sh", "-c")),
        "millrace/test-python:1": Image((sys.executable, "-u", "-c")),
        "millrace/test-answer:1": python("-P", str(ROOT / "tests/support/answering.py")),
        "millrace/test-redis:1": Image(("redis-server",)),
        config.Config().explainer_image: python("-P", str(ROOT / "tests/support/explaining.py")),
    }


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the CRDs of the other projects, and no node."""
    scratch = os.environ.get(FOLDER)
    if scratch is None:
        pytest.skip("a real cluster is needed; `make envtest` brings one")
    folder = Path(scratch, "cluster")
    folder.mkdir()
    with Cluster(folder, ADDRESS) as running:
        running.install_crds("gateway-api", "istio", "keda")
        yield running


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Iterator[Node]:
    """The node that runs pods."""
    with Node(cluster, images(), haste=HASTE) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(cluster: Cluster, node: Node) -> Iterator[Gateway]:
    """What enacts HTTPRoutes and GRPCRoutes."""
    with Gateway(cluster) as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: Cluster, node: Node, gateway: Gateway) -> Iterator[Installed]:
    """Our operator, as its manifests have it."""
    try:
        with Installed(cluster, gateway) as running:
            yield running
    finally:
        print(node.logs("millrace-system"))


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, deleted with all that is in it. When the test fails, all that was said is shown."""
    name = cluster.namespace(f"test-{uuid.uuid4().hex[:10]}")
    yield name
    print("\n".join(cluster.events(name)))
    cluster.daemons.check()
    for fixture in {"node", "gateway"} & set(request.fixturenames):
        running = request.getfixturevalue(fixture)
        running.daemons.show()
        if isinstance(running, Node):
            print(running.logs(name))
            print(running.logs("millrace-system"))
        running.daemons.check()
    cluster.api.delete(f"/api/v1/namespaces/{name}")
