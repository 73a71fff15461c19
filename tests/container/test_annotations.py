"""The pod's annotations: how their file is read, and what those that count may say."""

from pathlib import Path

import pytest

from executor import errors
from executor.container import annotations
from executor.container.annotations import Bounds


def test_lines() -> None:
    text = 'a="1"\nb.io/c=2\n\nd="x=y"\n  e = "f"  \n'
    assert annotations.parse(text, "f") == ({"a": "1", "b.io/c": "2", "d": "x=y", "e": "f"}, [])


def test_one_bad_line_is_told_and_passed_over() -> None:
    found, wrong = annotations.parse('a="1"\nnonsense\n="x"\nb="2"', "/etc/f")
    assert found == {"a": "1", "b": "2"}
    assert wrong == [
        "/etc/f: line 2 is passed over: 'nonsense' is not key=\"value\"",
        '/etc/f: line 3 is passed over: \'="x"\' is not key="value"',
    ]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    assert annotations.read(path) == ({}, [f"{path}: no annotations are read: No such file or directory"])
    path.write_bytes(b'a="\xff"\nb="1"')
    assert annotations.read(path) == ({"a": "\ufffd", "b": "1"}, [])
    path.write_bytes(b"x" * (annotations.SIZE_MAX + 1))
    assert annotations.read(path) == ({}, [f"{path}: no annotations are read: larger than 1048576 bytes"])


def test_what_they_ask_for() -> None:
    assert annotations.bounds({"other": "1"}) == (Bounds(), [])
    asked = {
        annotations.REST_TIMEOUT: "1500",
        annotations.GRPC_TIMEOUT: "20",
        annotations.GRPC_MAX_MESSAGE_SIZE: "99999999999",
    }
    assert annotations.bounds(asked) == (Bounds(1.5, 0.02, 2**31 - 1), [])
    assert annotations.bounds({annotations.REST_TIMEOUT: "0"}) == (Bounds(), [])


@pytest.mark.parametrize("value", ["", "soon", "1.5", "-1", "10ms"])
def test_bad_values(value: str) -> None:
    with pytest.raises(errors.RequestError, match="allowed is a whole number of milliseconds from 0 on") as caught:
        annotations.bounds({annotations.REST_TIMEOUT: value})
    assert f"annotation seldon.io/rest-timeout is {value!r}" in caught.value.message
    with pytest.raises(errors.RequestError, match="allowed is a whole number of bytes from 1 on"):
        annotations.bounds({annotations.GRPC_MAX_MESSAGE_SIZE: value})
    bounds, ignored = annotations.bounds({annotations.GRPC_TIMEOUT: value})
    assert bounds == Bounds()
    told = "allowed is a whole number of milliseconds from 1 on"
    assert ignored == [f"annotation seldon.io/grpc-timeout is {value!r}; {told}; it is ignored"]
