"""What the TLS options and Seldon's variables mean."""

import argparse

import pytest

from executor import errors, tls_options
from executor.settings import NodeTlsSettings, TlsSettings


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    tls_options.add_serving(parser)
    tls_options.add_nodes(parser)
    return parser.parse_args(arguments)


def test_nothing_asked_is_no_tls() -> None:
    assert tls_options.serving(parsed(), {"SELDON_CERT_MOUNT_PATH": ""}) is None
    assert tls_options.nodes(parsed()) == NodeTlsSettings()


def test_options() -> None:
    given = parsed("--tls-cert", "a", "--tls-key", "b", "--tls-client-ca", "c", "--node-ca", "d", "--node-cert", "e",
                   "--node-key", "f")  # fmt: skip
    assert tls_options.serving(given, {"SELDON_CERT_MOUNT_PATH": "/cert"}) == TlsSettings("a", "b", "c")
    assert tls_options.nodes(given) == NodeTlsSettings("d", "e", "f")


def test_seldon_variables() -> None:
    mounted = {"SELDON_CERT_MOUNT_PATH": "/cert/"}
    assert tls_options.serving(parsed(), mounted) == TlsSettings("/cert/tls.crt", "/cert/tls.key")
    named = {**mounted, "SELDON_CERT_FILE_NAME": "a.pem"}
    assert tls_options.serving(parsed(), named) == TlsSettings("/cert/a.pem", "/cert/tls.key")
    named["SELDON_CERT_KEY_FILE_NAME"] = "b.pem"
    asked = parsed("--tls-client-ca", "ca")
    assert tls_options.serving(asked, named) == TlsSettings("/cert/a.pem", "/cert/b.pem", "ca")


def both(given: argparse.Namespace) -> tuple[NodeTlsSettings, TlsSettings | None]:
    return tls_options.nodes(given), tls_options.serving(given, {})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tls-cert", "a"), "--tls-cert: needs --tls-key as well"),
        (("--tls-key", "a"), "--tls-key: needs --tls-cert as well"),
        (("--tls-client-ca", "a"), "--tls-client-ca: needs --tls-cert and --tls-key"),
        (("--node-key", "a"), "--node-key: needs --node-cert as well"),
    ],
)
def test_what_does_not_fit(arguments: tuple[str, ...], said: str) -> None:
    given = parsed(*arguments)
    with pytest.raises(errors.RequestError, match=f"^{said}$"):
        both(given)


def test_a_client_asks_over_tls_when_told_anything_of_it() -> None:
    parser = argparse.ArgumentParser()
    tls_options.add_client(parser)
    assert tls_options.client(parser.parse_args([])) is None
    assert tls_options.client(parser.parse_args(["--tls"])) == NodeTlsSettings()
    assert tls_options.client(parser.parse_args(["--ca", "a"])) == NodeTlsSettings("a")
    given = parser.parse_args(["--cert", "c", "--key", "k"])
    assert tls_options.client(given) == NodeTlsSettings(None, "c", "k")
    with pytest.raises(errors.RequestError, match=r"^--key: needs --cert as well$"):
        tls_options.client(parser.parse_args(["--key", "k"]))
