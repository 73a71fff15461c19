"""Tests `executor.manifest.seldon_cluster`: what a cluster asks for beyond the graph."""

import pytest
from support.manifests import HEAD, problems

from executor.manifest.document import read
from executor.manifest.profile import Profile, Terms
from executor.manifest.seldon import build
from executor.manifest.shape import Report

WHERE = "spec.predictors[0]"
GRAPH = "graph: {name: m, implementation: SIMPLE_MODEL}"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            "{name: Main}",
            "name",
            'must be lower-case letters, digits and "-", with a letter or digit at both ends, which "Main" is not',
        ),
        (
            "{name: p, annotations: {seldon.io/svc-name: -x}}",
            'annotations["seldon.io/svc-name"]',
            'must be lower-case letters, digits and "-", with a letter or digit at both ends, which "-x" is not',
        ),
        (
            "{name: p, ssl: {certSecretName: ''}}",
            "ssl.certSecretName",
            "must not be empty; it names a secret with tls.crt and tls.key",
        ),
        (
            "{name: p, explainer: {type: anchortext}}",
            "explainer.type",
            '"anchortext" is no explainer (did you mean "AnchorText"?); allowed: AnchorTabular, AnchorImages, '
            "AnchorText, Counterfactuals, Contrastive, KernelShap, IntegratedGradients, ALE, TreeShap",
        ),
        (
            "{name: p, explainer: {type: ALE, initParameters: '{'}}",
            "explainer.initParameters",
            "must be JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (
            "{name: p, componentSpecs: [{pdbSpec: {minAvailable: 1, maxUnavailable: 25%}}]}",
            "componentSpecs[0].pdbSpec",
            "needs one of minAvailable and maxUnavailable, not both",
        ),
        (
            "{name: p, componentSpecs: [{pdbSpec: {minAvailable: [1]}}]}",
            "componentSpecs[0].pdbSpec.minAvailable",
            "must be a whole number or text, not a list",
        ),
        (
            "{name: p, componentSpecs: [{pdbSpec: {}}]}",
            "componentSpecs[0].pdbSpec",
            "needs one of minAvailable and maxUnavailable, not both",
        ),
        (
            "{name: p, componentSpecs: [{hpaSpec: {minReplicas: 3, maxReplicas: 2}}]}",
            "componentSpecs[0].hpaSpec.minReplicas",
            "must not be above maxReplicas (2), but is 3",
        ),
        (
            "{name: p, componentSpecs: [{hpaSpec: {minReplicas: 3}}]}",
            "componentSpecs[0].hpaSpec.maxReplicas",
            "required, but missing",
        ),
        (
            "{name: p, componentSpecs: [{kedaSpec: {}}]}",
            "componentSpecs[0].kedaSpec.triggers",
            "required, but missing",
        ),
    ],
)
def test_what_is_wrong_with_a_predictor(text: str, path: str, message: str) -> None:
    lines = f"{HEAD}spec:\n  predictors:\n  - {{{GRAPH}, {text[1:-1]}}}\n"
    assert [(where, said) for _, where, said in problems(lines)] == [(f"{WHERE}.{path}", message)]


@pytest.mark.parametrize(
    ("pod", "path", "message"),
    [
        ("spec: {containers: [{image: x}]}", "spec.containers[0].name", "required, but missing"),
        ("spec: {containers: [1]}", "spec.containers[0]", "must be a mapping, not the number 1"),
        ("spec: {containers: {name: a}}", "spec.containers", "must be a list, not a mapping"),
        (
            "spec: {containers: [{name: a, ports: [{containerPort: http}]}]}",
            "spec.containers[0].ports[0].containerPort",
            'must be a whole number, not "http"',
        ),
        (
            "spec: {containers: [{name: a, env: [{name: A, value: 1}, {value: 1}]}]}",
            "spec.containers[0].env[1].name",
            "required, but missing",
        ),
        (
            "spec: {initContainers: [{name: a, image: x, volumeMounts: [{mountPath: /y}]}]}",
            "spec.initContainers[0].volumeMounts[0].name",
            "required, but missing",
        ),
        (
            "spec: {initContainers: [{name: a, volumeMounts: x}]}",
            "spec.initContainers[0].volumeMounts",
            'must be a list, not "x"',
        ),
        ("spec: {securityContext: 7}", "spec.securityContext", "must be a mapping, not the number 7"),
        ("spec: {volumes: x}", "spec.volumes", 'must be a list, not "x"'),
        ("metadata: {labels: {a: 1}}", "metadata.labels.a", "must be text, not the number 1; put it in quotes"),
    ],
)
def test_what_has_to_be_known_of_pods(pod: str, path: str, message: str) -> None:
    lines = f"{HEAD}spec:\n  predictors:\n  - {{{GRAPH}, name: p, componentSpecs: [{{{pod}}}]}}\n"
    assert [(where, said) for _, where, said in problems(lines)] == [(f"{WHERE}.componentSpecs[0].{path}", message)]


def test_the_rest_of_pods_is_not_looked_at() -> None:
    of_all = "resources: 7, unheard: {of: 1}, env:, ports:, volumeMounts:"
    pod = f"spec: {{containers: [{{name: a, {of_all}}}], initContainers: [{{name: b, {of_all}}}], nodeSelector: [x]}}"
    assert problems(f"{HEAD}spec:\n  predictors:\n  - {{{GRAPH}, name: p, componentSpecs: [{{{pod}}}]}}\n") == []


def test_numbers_of_annotations() -> None:
    body = (
        "spec:\n  annotations: {seldon.io/executor-logger-queue-size: ten}\n"
        f"  predictors:\n  - {{name: p, {GRAPH}}}\n"
    )
    assert problems(HEAD + body) == [
        (5, 'spec.annotations["seldon.io/executor-logger-queue-size"]', 'must be a whole number, not "ten"')
    ]


def spoken(body: str) -> list[tuple[str, str]]:
    """Problems where the cluster's executor speaks one protocol alone."""
    report = Report(read(f"{HEAD}spec:\n{body}")[0])
    build(report, Terms(Profile.CLUSTER, protocols=("seldon",), server_types=("rpc",)))
    return [(each.path, each.message) for each in report.problems]


def test_what_the_executor_cannot_do_is_refused() -> None:
    env = "[{name: KAFKA_BROKER}, {name: KAFKA_INPUT_TOPIC}, {name: KAFKA_OUTPUT_TOPIC}]"
    body = (
        f"  protocol: v2\n  serverType: kafka\n  predictors:\n  - {{name: p, svcOrchSpec: {{env: {env}}}, {GRAPH}}}\n"
    )
    assert spoken(body) == [
        ("spec.protocol", "the executor does not speak v2; allowed: seldon"),
        ("spec.serverType", "serverType kafka is not what the executor can do; allowed: rpc"),
    ]


@pytest.mark.parametrize(("value", "refused"), [("true", []), ("false", ["spec.protocol"]), ("", ["spec.protocol"])])
def test_without_an_executor_it_does_not_matter(value: str, refused: list[str]) -> None:
    predictor = f'{{name: p, annotations: {{seldon.io/no-engine: "{value}"}}, {GRAPH}}}'
    assert [path for path, _ in spoken(f"  protocol: v2\n  predictors: [{predictor}]\n")] == refused


def test_the_local_profile_asks_for_none_of_it() -> None:
    body = f"spec:\n  predictors:\n  - {{name: Main, explainer: {{type: x}}, {GRAPH}}}\n"
    assert problems(HEAD + body, Profile.LOCAL) == []
