"""Tests `proof`'s reading of the Dockerfile, and that the image's steps, the tree and the manifests fit together."""

import re
import subprocess

import pytest
import yaml
from image import proof

DOCKERFILE = (proof.TREE / "Dockerfile").read_text()
STEPS = proof.TREE / ".ci" / "image"


def test_the_last_stage_is_read_whole() -> None:
    stage = proof.last_stage(DOCKERFILE)
    assert stage.entrypoint == ["millrace"]
    assert stage.user == "8888:8888"
    assert stage.folder == "/app"
    assert stage.env["HOME"] == "/tmp"
    (run,) = stage.runs
    bound = proof.BOUND.match(run)
    assert bound is not None
    assert run[bound.end() :] == f"{bound[1]}/source/.ci/image install {bound[1]}/wheels"


def test_what_the_proof_does_not_know_is_not_passed_over() -> None:
    with pytest.raises(SystemExit, match="does not know what HEALTHCHECK means"):
        proof.last_stage(DOCKERFILE + "HEALTHCHECK NONE\n")


def test_lines_that_go_on_are_one() -> None:
    stage = proof.last_stage("FROM a AS b\nENV X=1\nFROM c\nENV A=1 \\\n    B='x y'\nUSER 1:2\n")
    assert (stage.env, stage.user) == ({"A": "1", "B": "x y"}, "1:2")


def test_the_user_is_the_one_that_pods_run_as() -> None:
    (user,) = re.findall(r"^user=(\d+)$", STEPS.read_text(), re.M)
    path = proof.TREE / "operator_lite" / "manifests" / "base" / "operator.yaml"
    deployment = next(each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]["securityContext"]
    assert proof.last_stage(DOCKERFILE).user == f"{user}:{user}"
    assert (pod["runAsUser"], pod["runAsGroup"]) == (int(user), int(user))


def test_what_the_image_is_made_of_is_in_the_build_context() -> None:
    lines = (proof.TREE / ".dockerignore").read_text().splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    assert all((proof.TREE / each).exists() for each in sent)
    assert {".ci/image", ".ci/system", "pyproject.toml", "_native", "executor", "operator_lite", "proto"} <= set(sent)


def test_extras_are_those_of_the_package() -> None:
    (extras,) = re.findall(r"^extras=(.+)$", STEPS.read_text(), re.M)
    text = (proof.TREE / "pyproject.toml").read_text()
    known = re.findall(r"^(\w+) = \[", text.partition("[project.optional-dependencies]")[2].partition("\n[")[0], re.M)
    assert set(extras.split(",")) == set(known) - {"client", "gpu", "xgboost"}
    assert re.search(r"^operator = .*cryptography", text, re.M), "the webhook's certificates need it"


def test_no_host_of_a_registry_is_named() -> None:
    images = re.findall(r"^FROM (\S+)|^ARG BASE=(\S+)", DOCKERFILE, re.M)
    assert images
    assert all("." not in name.split("/")[0] and "/" not in name for pair in images for name in pair)


@pytest.mark.parametrize("arguments", [["publish"], ["Install", "/tmp"]])
def test_a_step_that_is_none_says_which_there_are(arguments: list[str]) -> None:
    done = subprocess.run([STEPS, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "steps: build, compile, collect, install" in done.stderr
