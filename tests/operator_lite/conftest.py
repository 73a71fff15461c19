"""Owns the fixtures that tests of the running operator share: clusters, and operators in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import cluster as clusters
from support.apiserver import ApiServer
from support.cluster import Cluster
from support.operators import Running, operators


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A namespace of a cluster, a real one if there is any."""
    with clusters.cluster(tmp_path) as found:
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
