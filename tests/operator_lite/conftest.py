"""Owns the fixtures that tests of the running operator share: clusters, and operators in them.

`make envtest` runs those that use `cluster` on a real API server, and those that use `kubectl`; the others are the same
anywhere, and left out.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import cluster as clusters
from support.apiserver import ApiServer
from support.cluster import Cluster
from support.operators import Running, operators

from operator_lite.crd import FILE

REAL = {"cluster", "kubectl"}
SCRATCH = os.environ.get("MILLRACE_ENVTEST")
"""Where `make envtest` keeps what its clusters write."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what no real server is needed for, where there is one."""
    if SCRATCH is None:
        return
    here = Path(__file__).parent
    left = [each for each in items if here in each.path.parents and not REAL & set(getattr(each, "fixturenames", ()))]
    config.hook.pytest_deselected(items=left)
    items[:] = [each for each in items if each not in left]


@pytest.fixture(scope="session")
def real() -> Iterator[Path | None]:
    """The kubeconfig of a real API server, if there is one. Tests play the part of most controllers themselves."""
    if SCRATCH is None:
        yield None
        return
    from support.kube.cluster import CLEANERS
    from support.kube.cluster import Cluster as RealCluster

    folder = Path(SCRATCH, "server")
    folder.mkdir()
    with RealCluster(folder, controllers=CLEANERS) as running:
        running.install_crds("gateway-api", "istio", "keda")
        running.kubectl("apply", "--server-side", "-f", str(FILE))
        running.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(FILE))
        yield running.kubeconfig
        running.daemons.check()


@pytest.fixture
def cluster(tmp_path: Path, real: Path | None) -> Iterator[Cluster]:
    """A namespace of a cluster, a real one if there is any."""
    with clusters.cluster(tmp_path, real) as found:
        yield found


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server that can be made to fail."""
    found = clusters.served()
    yield found
    found.stop()


@pytest.fixture
def fragile(server: ApiServer, tmp_path: Path) -> Cluster:
    """A namespace of that."""
    return Cluster(server.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def operator() -> Iterator[Running]:
    """Starts operators, which are stopped before their clusters are."""
    with operators() as start:
        yield start
