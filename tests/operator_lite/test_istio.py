"""Tests `istio`: shares, copies, retries, and how its gateway reaches pods."""

from dataclasses import replace
from typing import Any

from support.resources import CONFIG, made, of_kind

ISTIO = replace(CONFIG, traffic="istio")
MODEL = "graph: {name: m, implementation: SIMPLE_MODEL}"
SPEC = f"""\
predictors:
- {{name: a, traffic: 70, {MODEL}}}
- {{name: b, traffic: 30, labels: {{version: v2}}, {MODEL}}}
- {{name: dark, shadow: true, {MODEL}}}
"""


def routes(spec: str = SPEC, **annotations: str) -> list[dict[str, Any]]:
    named = {f"seldon.io/istio-{name.replace('_', '-')}": value for name, value in annotations.items()}
    (found,) = of_kind(made(spec, ISTIO, annotations=named), "VirtualService").values()
    listed: list[dict[str, Any]] = found["spec"]["http"]
    return listed


def test_shares_and_copies() -> None:
    for each, port in zip(routes(), (8000, 5001), strict=True):
        shares = [(one["destination"]["subset"], one["weight"]) for one in each["route"]]
        assert shares == [("a", 70), ("b", 30)]
        host = "iris-dark.ml.svc.cluster.local"
        assert each["mirror"] == {"host": host, "subset": "dark", "port": {"number": port}}
        assert "mirrorPercentage" not in each
    assert routes(SPEC.replace("shadow: true", "shadow: true, traffic: 5"))[0]["mirrorPercentage"] == {"value": 5}


def test_retries() -> None:
    assert all("retries" not in each for each in [*routes(), *routes(retries="many")])
    for each in routes(retries="3", retries_timeout="7"):
        assert (each["retries"]["attempts"], each["retries"]["perTryTimeout"]) == (3, "7s")


def test_a_rule_for_each_predictor_knows_its_pods_by_their_version() -> None:
    rules = of_kind(made(SPEC, ISTIO), "DestinationRule")
    subsets = {name: rule["spec"]["subsets"] for name, rule in rules.items()}
    assert subsets == {
        "iris-a": [{"name": "a", "labels": {"version": "a"}}],
        "iris-b": [{"name": "b", "labels": {"version": "v2"}}],
        "iris-dark": [{"name": "dark", "labels": {"version": "dark"}}],
    }
    assert all(rule["spec"]["trafficPolicy"]["connectionPool"] for rule in rules.values())


def test_a_tls_mode_takes_the_place_of_the_idle_timeout() -> None:
    rules = of_kind(made(SPEC, replace(ISTIO, istio_tls_mode="MUTUAL")), "DestinationRule")
    assert all(rule["spec"]["trafficPolicy"] == {"tls": {"mode": "MUTUAL"}} for rule in rules.values())
