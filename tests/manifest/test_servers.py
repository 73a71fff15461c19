"""The names of prepackaged servers."""

from executor.graph.builtin import BUILTINS
from executor.manifest import seldon, servers


def test_each_server_runs_in_one_place() -> None:
    assert not set(servers.HERE) & set(servers.ELSEWHERE)
    assert not {*servers.HERE, *servers.ELSEWHERE} & BUILTINS.keys()


def test_a_cluster_offers_seldon_s_own() -> None:
    assert set(seldon.SERVERS) == {*servers.HERE, *servers.ELSEWHERE} - set(servers.OURS)
    assert "ONNX_SERVER" not in seldon.SERVERS
