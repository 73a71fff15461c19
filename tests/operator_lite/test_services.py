"""Tests `services`: which have an address of their own, and what they say of their ports."""

import pytest
from support.resources import ONE, made, of_kind

APART = 'annotations: {seldon.io/engine-separate-pod: "true"}\n'


def test_nodes_in_other_pods_have_no_address_so_that_executors_balance() -> None:
    beside, apart = (of_kind(made(spec), "Service")["iris-main-model"]["spec"] for spec in (ONE, APART + ONE))
    assert "clusterIP" not in beside
    assert apart["clusterIP"] == "None"


@pytest.mark.parametrize(("value", "headless"), [("true", True), ("", True), ("false", False), ("False", True)])
def test_clients_may_ask_for_the_same(value: str, headless: bool) -> None:
    service = of_kind(made(ONE, annotations={"seldon.io/headless-svc": value}), "Service")["iris-main"]
    assert (service["spec"].get("clusterIP") == "None") is headless


def test_ports_say_what_is_spoken() -> None:
    plain, secure = (
        [each["appProtocol"] for each in of_kind(made(spec), "Service")["iris-main"]["spec"]["ports"]]
        for spec in (ONE, ONE + "  ssl: {certSecretName: c}\n")
    )
    assert (plain, secure) == (["http", "kubernetes.io/h2c"], ["https", "https"])
