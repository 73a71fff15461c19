"""What URIs of stored files mean."""

from pathlib import Path

import pytest

from executor.errors import RequestError
from executor.storage import uri


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/mnt/models", "/mnt/models"),
        ("models/iris", "models/iris"),
        ("file:///mnt/models", "/mnt/models"),
        ("file://localhost/mnt/a%20b", "/mnt/a b"),
    ],
)
def test_paths_of_this_machine(text: str, path: str) -> None:
    found = uri.parse(text)
    assert (found.is_local, found.path) == (True, path)
    assert uri.parse("~/models").path == str(Path.home() / "models")


@pytest.mark.parametrize(
    ("text", "scheme", "path", "name"),
    [
        ("s3://bucket/models/iris", "s3", "bucket/models/iris", "iris"),
        ("s3://bucket/models/iris/", "s3", "bucket/models/iris", "iris"),
        ("s3a://bucket", "s3", "bucket", "bucket"),
        ("gs://seldon-models/v1.18/sklearn/iris", "gs", "seldon-models/v1.18/sklearn/iris", "iris"),
        ("gcs://b/k", "gs", "b/k", "k"),
        ("minio://bucket/k", "minio", "bucket/k", "k"),
        ("https://h/a/model%20b.onnx?x=1", "https", "https://h/a/model%20b.onnx?x=1", "model b.onnx"),
    ],
)
def test_places(text: str, scheme: str, path: str, name: str) -> None:
    found = uri.parse(text, frozenset({"minio"}))
    assert (found.scheme, found.path, found.name, found.is_local) == (scheme, path, name, False)


def test_secrets_are_not_shown() -> None:
    found = uri.parse("https://user:secret@host:8443/iris/model.onnx?token=secret#part")
    assert found.text == "https://host:8443/iris/model.onnx"
    assert found.path == "https://user:secret@host:8443/iris/model.onnx?token=secret"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no path"),
        ("a\0b", "no path"),
        ("file://models/iris", "three slashes"),
        ("pvc://claim/iris", "give the path where it is mounted"),
        ("ftp://host/iris", r"ftp:// is not known; allowed are a path and file://, s3://, gs://, http://, https://"),
        ("s3:///iris", r"the bucket is missing; write s3://BUCKET/PATH"),
        ("http:///iris", "the host is missing"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        uri.parse(text)
