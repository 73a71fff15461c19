"""What the arguments of `millrace run` become."""

from typing import Any

from executor import cli
from executor.commands import run
from executor.settings import Address, ListenSettings, NodeTimeouts, RunSettings, Scheme


def parsed(*arguments: str) -> Any:
    return cli._parser().parse_args(arguments)


def test_run_settings() -> None:
    arguments = (
        "run", "g.yaml", "--component", "a=x.py:A", "--component", "b=pkg.mod:B", "--endpoint", "c=http://h:1/p",
        "--isolate", "a", "--document", "2", "--predictor", "p", "--grpc-port", "0", "--http-port", "81",
        "--host", "0.0.0.0", "--default-timeout", "500ms", "--no-routing-meta", "--max-message-bytes", "1000",
        "--threads", "3", "--log-level", "debug", "--node-timeout", "2s", "--workers", "2",
    )  # fmt: skip
    settings = run.settings_of(parsed(*arguments), {})
    assert settings.components == {"a": "x.py:A", "b": "pkg.mod:B"}
    assert settings.endpoints == {"c": Address(Scheme.HTTP, "h", 1, "/p")}
    assert settings.isolate == {"a"}
    assert (settings.document, settings.predictor) == ("2", "p")
    assert settings.listen == ListenSettings("0.0.0.0", 0, 81)
    assert settings.limits.max_message_bytes == 1000
    assert (settings.default_timeout_s, settings.routing_meta, settings.threads) == (0.5, False, 3)
    assert (settings.log_level, settings.workers) == ("debug", 2)
    assert settings.node_timeouts == NodeTimeouts(2.0, 2.0, 2.0)


def test_run_defaults_are_those_of_the_settings() -> None:
    assert run.settings_of(parsed("run", "g.yaml"), {}) == RunSettings("g.yaml")
    assert RunSettings("g.yaml").listen == ListenSettings("127.0.0.1", 5001, 8000)
