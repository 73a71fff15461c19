"""What all prepackaged servers share."""

import inspect
import logging
from pathlib import Path

import pytest

from executor.component import servers
from executor.component.servers import model
from executor.errors import ComponentError, FetchError
from executor.manifest import servers as names


def test_each_server_that_runs_here_has_a_class() -> None:
    assert tuple(servers.CLASSES) == names.HERE
    for name in servers.CLASSES:
        taken = inspect.signature(servers.class_of(name)).parameters
        assert set(taken) == {names.MODEL_URI, *names.PARAMETERS[name]}


def test_a_missing_library_says_what_to_install() -> None:
    with pytest.raises(ComponentError, match=r"X_SERVER needs no_such_library, .*pip install library$"):
        model.needed("no_such_library", "X_SERVER", "library")


def test_the_file_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert model.file(tmp_path, "model.onnx", "u") == tmp_path / "model.onnx"
    assert model.file(tmp_path / "notes.txt", "model.onnx", "u") == tmp_path / "notes.txt"
    with pytest.raises(FetchError, match=r"u: there is no model\.bst; there are model\.onnx, notes\.txt"):
        model.file(tmp_path, "model.bst", "u")


def test_metadata_beside_the_model(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"")
    assert model.metadata(None) == {}
    assert model.metadata(tmp_path) == {}
    (tmp_path / "metadata.yaml").write_text("name: iris\nversions: [v1]\n")
    assert model.metadata(tmp_path) == model.metadata(file) == {"name": "iris", "versions": ["v1"]}


@pytest.mark.parametrize(("text", "said"), [("[1]", "must be a mapping, not list"), ("a: [", "cannot be read")])
def test_metadata_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "metadata.yaml").write_text(text)
    with pytest.raises(ComponentError, match=said):
        model.metadata(tmp_path)


@pytest.mark.parametrize("value", ["1", "true", "yes", "anything"])
def test_pickles_can_be_refused(value: str) -> None:
    with pytest.raises(ComponentError, match=r"u: it is a pickle, and --no-pickle \(or MILLRACE_NO_PICKLE\) refuses"):
        model.check_pickle("it is a pickle", "u", {"MILLRACE_NO_PICKLE": value})


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_pickles_are_told_of(value: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model.check_pickle("it is a pickle", "u", {"MILLRACE_NO_PICKLE": value})
        assert caplog.text == ""
        model.tell_pickle("it is a pickle", "u")
    assert "u: it is a pickle; loading it runs whatever code it brings" in caplog.text


def test_parameters_are_checked() -> None:
    assert model.option("S", "method", "predict", ("predict", "x")) == "predict"
    with pytest.raises(ComponentError, match="S: method is 'jump'; allowed are predict, x"):
        model.option("S", "method", "jump", ("predict", "x"))
    with pytest.raises(ComponentError, match="S: model_uri is missing"):
        model.needs_uri("S", "")
