"""What the arguments and the environment of `millrace node` become."""

from typing import Any

import pytest

from executor import cli, options
from executor.commands import node
from executor.settings import ListenSettings, NodeSettings


def parsed(*arguments: str) -> Any:
    return cli._parser().parse_args(arguments)


def test_node_settings() -> None:
    settings = node.settings_of(parsed("node", "m.py:M"), {})
    assert settings == NodeSettings("m.py:M")
    assert settings.listen == ListenSettings("127.0.0.1", 5000, 9000)
    environment = {
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "7001",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "7002",
        "PREDICTIVE_UNIT_PARAMETERS": '[{"name":"n","value":"1","type":"INT"}]',
        "PREDICTIVE_UNIT_ID": "m1",
    }
    settings = node.settings_of(parsed("node", "m.py:M", "--type", "ROUTER", "--http-port", "0"), environment)
    assert (settings.type, settings.name, settings.parameters) == ("ROUTER", "m1", {"n": 1})
    assert settings.listen == ListenSettings("127.0.0.1", 7001, 0)


def test_a_node_on_a_unix_socket_takes_no_ports_unless_told() -> None:
    environment = {"PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "7001"}
    settings = node.settings_of(parsed("node", "m.py:M", "--uds", "/tmp/s"), environment)
    assert settings.listen == ListenSettings("127.0.0.1", None, None, "/tmp/s")
    settings = node.settings_of(parsed("node", "m.py:M", "--uds", "/tmp/s", "--http-port", "0"), {})
    assert settings.listen == ListenSettings("127.0.0.1", None, 0, "/tmp/s")


def test_bad_port_in_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["node", "m.py:M"], {"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "http"})
    assert status == options.USAGE_STATUS
    assert "PREDICTIVE_UNIT_HTTP_SERVICE_PORT: port 'http'" in capsys.readouterr().err


def test_where_metrics_are_told() -> None:
    settings = node.settings_of(parsed("node", "m.py:M"), {})
    assert (settings.metrics_port, settings.metrics_path, settings.metrics_on_http) == (None, "/metrics", True)
    said = {"PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "7003", "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus"}
    settings = node.settings_of(parsed("node", "m.py:M"), said)
    assert (settings.metrics_port, settings.metrics_path) == (7003, "/prometheus")
    assert node.settings_of(parsed("node", "m.py:M", "--uds", "/tmp/s"), said).metrics_port is None
