"""Tests `executor.manifest.profile`: one manifest, held against either profile's rules."""

import dataclasses

import pytest

from executor.manifest.document import read
from executor.manifest.profile import Profile, Terms
from executor.manifest.seldon import build
from executor.manifest.shape import Report

TEXT = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: d}
spec:
  predictors:
  - name: p
    graph: {name: m, type: MODEL}
"""


def messages(terms: Terms) -> list[str]:
    (document,) = read(TEXT)
    report = Report(document)
    build(report, terms)
    return [each.message for each in report.problems]


def test_the_cluster_wants_a_container_and_a_local_run_does_not() -> None:
    assert messages(Terms(Profile.CLUSTER)) == ['no container is named "m"; there are no containers']
    assert messages(Terms(Profile.LOCAL)) == []


def test_a_local_run_wants_to_reach_the_node_and_the_cluster_does_not() -> None:
    assert messages(Terms(Profile.LOCAL, reached=[])) == ['node "m" has neither a component nor an endpoint']
    assert len(messages(Terms(Profile.CLUSTER, reached=[]))) == 1


def test_terms_are_frozen_and_default_to_the_cluster() -> None:
    terms = Terms()
    assert terms.profile is Profile.CLUSTER
    with pytest.raises(dataclasses.FrozenInstanceError):
        terms.profile = Profile.LOCAL  # type: ignore[misc]
