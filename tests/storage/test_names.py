"""Which names of files are let in."""

import pytest

from executor.errors import FetchError
from executor.storage import names


@pytest.mark.parametrize("name", ["model.joblib", "data/model.pkl", "..data", "a b", "é/ü", "1/2/3"])
def test_names_below(name: str) -> None:
    assert names.checked(name, "s") == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "does not lie below"),
        ("/etc/passwd", "does not lie below"),
        ("..", "has an empty part"),
        ("../x", "has an empty part"),
        ("a/../../x", "has an empty part"),
        ("a//b", "has an empty part"),
        ("./a", "has an empty part"),
        ("a/", "has an empty part"),
        ("a\\..\\b", "a backslash"),
        ("a\0b", "a control character"),
        ("a\nb", "a control character"),
        ("x" * 2000, "is longer than 1024"),
        (".millrace.json", "that name is ours"),
    ],
)
def test_names_that_are_refused(name: str, said: str) -> None:
    with pytest.raises(FetchError, match=rf"s3://b: the file name .* is refused: .*{said}"):
        names.checked(name, "s3://b")


def test_names_of_a_listing() -> None:
    assert names.below("b/iris/data/x", "b/iris", "s") == "data/x"
    for path in ("b/iris2/x", "c/x", "b/iris/../x"):
        with pytest.raises(FetchError):
            names.below(path, "b/iris", "s")


def test_a_file_that_is_a_folder_too() -> None:
    assert names.clash(["a", "b/c", "b/d"]) is None
    assert names.clash(["a", "a/b"]) == "a"
