"""What stores list and hand over: folders of this machine, a real web server, servers of S3 and Google's JSON API."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import stores
from support.google_store import Gcs

from executor.errors import FetchError, RequestError
from executor.storage import copying, pages, sources, uri
from executor.storage.sources import Entry


@pytest.fixture
def web() -> Iterator[stores.Web]:
    with stores.Web() as running:
        running.files = {"iris/model.joblib": b"12345", "iris/data/a b": b"x", "other/x": b"y", "whole.html": b""}
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[stores.S3]:
    with stores.s3() as running:
        running.put("models", {"iris/model.joblib": b"12345", "iris/data/a b": b"x", "iris2/x": b"y", "iris/": b""})
        yield running


@pytest.fixture
def gcs() -> Iterator[Gcs]:
    with Gcs() as running:
        objects = {
            "iris/model.joblib": b"12345",
            "iris/data/a b": b"x",
            "iris2/x": b"y",
            "iris/": b"",
            "iris/data/": b"",
        }
        running.put("models", objects)
        yield running


def listed(text: str, **environment: str) -> tuple[sources.Source, list[Entry]]:
    remotes = frozenset({"minio"})
    source = sources.source_of(uri.parse(text, remotes), 10.0, environment)
    return source, source.entries()


def copied(source: sources.Source, entries: list[Entry], folder: Path) -> dict[str, bytes]:
    """What comes of all entries, by name."""
    moved: list[int] = []
    folder.mkdir(exist_ok=True)
    for number, entry in enumerate(entries):
        source.copy(entry, folder / str(number), moved.append)
    found = {entry.name: (folder / str(number)).read_bytes() for number, entry in enumerate(entries)}
    assert sum(moved) == sum(map(len, found.values()))
    return found


IRIS = {"data/a b": b"x", "model.joblib": b"12345"}


def test_a_folder_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "iris" / "data").mkdir(parents=True)
    for name, content in IRIS.items():
        (tmp_path / "iris" / name).write_bytes(content)
    (tmp_path / "iris" / "linked").symlink_to("model.joblib")
    source, entries = listed(str(tmp_path / "iris"))
    assert not source.single
    assert copied(source, entries, tmp_path / "out") == {**IRIS, "linked": b"12345"}
    source, entries = listed(f"file://{tmp_path}/iris/model.joblib")
    assert source.single
    assert copied(source, entries, tmp_path / "out2") == {"model.joblib": b"12345"}
    with pytest.raises(FetchError, match="there is no such file or folder"):
        listed(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FetchError, match="there is nothing there"):
        listed(str(tmp_path / "empty"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_of_a_web_server(web: stores.Web, tmp_path: Path, slash: str) -> None:
    source, entries = listed(f"{web.url}/iris{slash}")
    assert not source.single
    assert copied(source, entries, tmp_path / "out") == IRIS
    assert all(entry.size is not None and entry.tag.startswith("ETag=") for entry in entries)


def test_a_file_of_a_web_server(web: stores.Web, tmp_path: Path) -> None:
    source, entries = listed(f"{web.url}/iris/model.joblib?token=1")
    assert source.single
    assert copied(source, entries, tmp_path / "out") == {"model.joblib": b"12345"}


def test_what_a_web_server_has_not(web: stores.Web) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        listed(f"{web.url}/nothing")
    assert "404" in copying.said(copying.reason(missing.value))
    web.listings["empty/"] = "<html></html>"
    with pytest.raises(FetchError, match="there is nothing there"):
        listed(f"{web.url}/empty/")


@pytest.mark.parametrize("link", ["%2e%2e%2fx", "a%2f..%2f..%2fx", "%00", "a%5cb", ".millrace.json"])
def test_a_web_server_that_would_lead_out(web: stores.Web, link: str) -> None:
    web.listings["bad/"] = f'<a href="{link}">x</a>'
    with pytest.raises(FetchError, match="is refused"):
        listed(f"{web.url}/bad/")


def test_listings_without_end(web: stores.Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FILES_MAX", 1)
    with pytest.raises(FetchError, match="more than 1 files are there; name the folder of one model"):
        listed(f"{web.url}/iris/")
    for depth in range(1, 30):
        web.listings["deep/" + "a/" * depth] = '<a href="a/">x</a>'
    with pytest.raises(FetchError, match=f"more than {pages.DEPTH_MAX} deep"):
        listed(f"{web.url}/deep/a/")


def test_a_folder_of_a_bucket(s3: stores.S3, tmp_path: Path) -> None:
    source, entries = listed("s3://models/iris", **s3.environment)
    assert not source.single
    assert copied(source, entries, tmp_path / "out") == IRIS
    assert all(entry.tag for entry in entries)


def test_an_object_of_a_bucket(s3: stores.S3, tmp_path: Path) -> None:
    source, entries = listed("s3://models/iris/model.joblib", **s3.environment)
    assert source.single
    assert copied(source, entries, tmp_path / "out") == {"model.joblib": b"12345"}


def test_a_remote_by_another_name(s3: stores.S3) -> None:
    environment = {
        "RCLONE_CONFIG_MINIO_TYPE": "s3",
        "RCLONE_CONFIG_MINIO_ACCESS_KEY_ID": "testing",
        "RCLONE_CONFIG_MINIO_SECRET_ACCESS_KEY": "testing",
        "RCLONE_CONFIG_MINIO_ENDPOINT": s3.url,
        "RCLONE_CONFIG_MINIO_REGION": "us-east-1",
    }
    _, entries = listed("minio://models/iris", **environment)
    assert [entry.name for entry in entries] == ["data/a b", "model.joblib"]


def test_what_a_bucket_has_not(s3: stores.S3) -> None:
    for text in ("s3://models/nothing", "s3://nowhere/iris"):
        with pytest.raises((FetchError, FileNotFoundError)):
            listed(text, **s3.environment)


def test_a_bucket_that_would_lead_out(s3: stores.S3) -> None:
    s3.put("evil", {"a/../x": b"", "b/x": b"", "b/x/y": b""})
    with pytest.raises(FetchError, match=r"is refused: it has an empty part, \. or \.\. in it"):
        listed("s3://evil/a", **s3.environment)
    with pytest.raises(FetchError, match="'x' is a file and a folder there"):
        listed("s3://evil/b", **s3.environment)


def test_a_folder_of_google_s(gcs: Gcs, tmp_path: Path) -> None:
    gcs.put("models", {f"iris/deep/er/{number}": b"%d" % number for number in range(5)})
    source, entries = listed("gs://models/iris", **gcs.environment)
    assert not source.single
    assert gcs.asked["list models"] == 5  # pages, of two objects each
    deep = {f"deep/er/{number}": b"%d" % number for number in range(5)}
    assert copied(source, entries, tmp_path / "out") == IRIS | deep
    assert all(entry.size is not None and entry.tag.startswith("md5Hash=") for entry in entries)


def test_an_object_of_google_s(gcs: Gcs, tmp_path: Path) -> None:
    source, entries = listed("gs://models/iris/model.joblib", **gcs.environment)
    assert source.single
    assert copied(source, entries, tmp_path / "out") == {"model.joblib": b"12345"}


def test_what_google_s_has_not(gcs: Gcs) -> None:
    with pytest.raises(FetchError, match="there is nothing there"):
        listed("gs://models/nothing", **gcs.environment)
    with pytest.raises(FileNotFoundError):
        listed("gs://nowhere/iris", **gcs.environment)


def test_an_object_that_goes_while_it_is_fetched(gcs: Gcs, tmp_path: Path) -> None:
    source, entries = listed("gs://models/iris", **gcs.environment)
    del gcs.objects["models/iris/model.joblib"]
    with pytest.raises(FetchError, match=r"model\.joblib: there is no such file"):
        copying.copy_all(source, entries, tmp_path, "u")


def test_an_account_of_google_s_signs_in(gcs: Gcs) -> None:
    gcs.private = True
    environment = {"RCLONE_CONFIG_GS_TYPE": "google cloud storage", "RCLONE_CONFIG_GS_ENDPOINT": gcs.url}
    account = {**environment, "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS": json.dumps(gcs.account())}
    _, entries = listed("gs://models/iris", **account)
    assert [entry.name for entry in entries] == ["data/a b", "model.joblib"]
    assert gcs.asked["token"] == 1
    gcs.refuses = True
    with pytest.raises(FetchError, match=r"u: HTTP 401 Invalid Credentials") as refused:
        copying.tried(lambda: listed("gs://models/iris", **account), "u")
    assert "PRIVATE KEY" not in str(refused.value)
    assert gcs.asked["token"] == 2  # nor is it tried again
    account["RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"] = '{"type": "service_account", "private_key": "secret"}'
    with pytest.raises(RequestError, match=r"gs://models/iris: Google's library cannot read these") as unread:
        listed("gs://models/iris", **account)
    assert "secret" not in str(unread.value)


def test_what_google_s_forbids(gcs: Gcs) -> None:
    gcs.forbidden.add("models")
    with pytest.raises(FetchError, match=r"u: HTTP 403 tests does not have storage\.objects\.list access\.$"):
        copying.tried(lambda: listed("gs://models/iris", **gcs.environment), "u")
    assert gcs.asked["list models"] == 1


@pytest.mark.parametrize(
    ("text", "module", "said"),
    [
        ("gs://b/k", "gcsfs", r"gs://b/k: gs:// needs gcsfs: pip install fsspec gcsfs"),
        ("s3://b/k", "s3fs", r"s3:// needs s3fs: pip install fsspec s3fs"),
        ("s3://b/k", "fsspec", r"s3:// needs fsspec: pip install fsspec s3fs"),
        ("http://h/k", "aiohttp", r"http:// needs aiohttp: pip install fsspec aiohttp"),
    ],
)
def test_a_missing_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, text: str, module: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RequestError, match=said):
        sources.source_of(uri.parse(text), environment={})
