"""Tests `envtest.tools` and the command, without Go: what is found, what is said when nothing can be built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from envtest import tools
from support.kubelet.setup import ROOT


def filled(folder: Path, *names: str) -> Path:
    """A folder with programs of these names."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_folder_that_holds_all_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(filled(tmp_path, *tools.PROGRAMS)))
    assert tools.find_or_build() == tmp_path


def test_a_folder_that_lacks_some_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(filled(tmp_path, "etcd", "kube-apiserver", "kubectl")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.Unavailable, match=r"Go 1\.25 or later is needed"):
        tools.find_or_build()
    assert "lacks kube-controller-manager, kube-proxy, kube-scheduler" in capsys.readouterr().out


def test_what_was_built_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.Unavailable):
        tools.find_or_build()
    lock = next(tools.cache_folder().glob("*.lock"))
    folder = lock.parent / lock.name.removesuffix(".lock")
    folder.mkdir()
    filled(folder, *tools.PROGRAMS)
    assert tools.find_or_build() == folder


def test_libraries_come_from_their_modules() -> None:
    replaced = [
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "example.org/a"}, "New": {"Path": "example.org/b", "Version": "v1.0.0"}},
    ]
    text = tools.module_file("1.35.4", {"Go": "1.25.0", "Replace": replaced})
    assert "go 1.25.0\n" in text
    assert "require k8s.io/kubernetes v1.35.4\n" in text
    assert "replace k8s.io/api => k8s.io/api v0.35.4\n" in text
    assert "example.org" not in text


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_go_the_command_says_so(ci: str, status: int, tmp_path: Path) -> None:
    environment = {**os.environ, "CI": ci, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path),
                   "PYTHONPATH": str(ROOT / "tests"), "KUBEBUILDER_ASSETS": ""}  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "envtest"], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("envtest: skipped: Go 1.25 or later is needed")
