"""Fetching into a folder and into the cache, from a web server that fails on demand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import stores

from executor.errors import FetchError, RequestError
from executor.storage import copying, fetch, names

FILES = {"iris/model.joblib": os.urandom(100_000), "iris/data/x": b"x"}
HELD = {"model.joblib", "data"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not wait long before it tries again."""
    monkeypatch.setattr(copying.tried, "__kwdefaults__", {"tries": copying.TRIES, "backoff_s": 0.001})


@pytest.fixture
def web() -> Iterator[stores.Web]:
    with stores.Web() as running:
        running.files = dict(FILES)
        yield running


def inside(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def check(folder: Path) -> None:
    """The folder has what the web server has, a record of it, and nothing else; nor is anything left beside it."""
    assert inside(folder) == HELD | {names.RECORD}
    assert (folder / "model.joblib").read_bytes() == FILES["iris/model.joblib"]
    assert (folder / "data" / "x").read_bytes() == b"x"
    assert not [name for name in inside(folder.parent) if name.startswith(f".{folder.name}.")]


def test_a_new_folder(web: stores.Web, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "iris"
    assert fetch.fetch(f"{web.url}/iris/", target) == target
    check(target)
    record = json.loads((target / names.RECORD).read_text())
    assert record["uri"] == f"{web.url}/iris/"
    assert record["files"]["data/x"] == {
        "size": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    }  # fmt: skip


def test_it_is_not_fetched_twice(web: stores.Web, tmp_path: Path) -> None:
    for _ in range(3):
        fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    assert web.asked["iris/model.joblib"] == 1


def test_what_has_changed_there_is_fetched(web: stores.Web, tmp_path: Path) -> None:
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    web.files = {"iris/new.joblib": b"new"}
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    assert inside(tmp_path / "m") == {"new.joblib", names.RECORD}
    assert inside(tmp_path) == {"m"}


@pytest.mark.parametrize("spoilt", [b"", b"x" * 100_000, None])
def test_what_has_changed_here_is_fetched(
    web: stores.Web, tmp_path: Path, spoilt: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    file = tmp_path / "m" / "model.joblib"
    file.unlink() if spoilt is None else file.write_bytes(spoilt)
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    check(tmp_path / "m")
    assert "it is fetched again" in caplog.text


def test_one_file(web: stores.Web, tmp_path: Path) -> None:
    found = fetch.fetch(f"{web.url}/iris/model.joblib", tmp_path / "m")
    assert found == tmp_path / "m" / "model.joblib"
    assert found.read_bytes() == FILES["iris/model.joblib"]


def test_answers_that_break_off_are_asked_for_again(web: stores.Web, tmp_path: Path) -> None:
    web.broken["iris/model.joblib"] = 2
    web.failing["iris/data/x"] = 1
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    check(tmp_path / "m")
    assert web.asked["iris/model.joblib"] == 3


def test_answers_that_always_break_off_leave_nothing(web: stores.Web, tmp_path: Path) -> None:
    web.broken["iris/model.joblib"] = 99
    with pytest.raises(FetchError, match=r"/iris/: model\.joblib: .* \(4 tries\)"):
        fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    assert inside(tmp_path) == set()


def test_a_server_that_says_nothing(web: stores.Web, tmp_path: Path) -> None:
    web.delay_s = 1.0
    with pytest.raises(FetchError, match=r"model\.joblib: \w*Timeout"):
        fetch.fetch(f"{web.url}/iris/model.joblib", tmp_path / "m", timeout_s=0.05)
    assert inside(tmp_path) == set()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"Cannot connect to host .* \(4 tries\)"):
        fetch.fetch("http://127.0.0.1:1/iris/", tmp_path / "m")


def test_an_empty_folder_is_filled(web: stores.Web, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    check(tmp_path / "m")


def test_a_folder_with_other_things_in_it_is_refused(web: stores.Web, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine").write_bytes(b"")
    with pytest.raises(RequestError, match="has files in it that were not fetched, such as mine"):
        fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    with pytest.raises(RequestError, match="mine: is a file; name a folder"):
        fetch.fetch(f"{web.url}/iris/", tmp_path / "m" / "mine")
    assert inside(tmp_path / "m") == {"mine"}


def test_a_folder_that_is_mounted_is_filled_from_inside(
    web: stores.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path)
    for _ in range(2):
        fetch.fetch(f"{web.url}/iris/", tmp_path)
        check(tmp_path)
    web.files = {"iris/new.joblib": b"new"}
    fetch.fetch(f"{web.url}/iris/", tmp_path)
    assert inside(tmp_path) == {"new.joblib", names.RECORD}


def test_what_a_killed_process_left_is_swept(web: stores.Web, tmp_path: Path) -> None:
    left = tmp_path / ".m.part-abc"
    left.mkdir()
    (left / "half").write_bytes(b"x")
    (tmp_path / ".m.lock").write_bytes(b"")
    fetch.fetch(f"{web.url}/iris/", tmp_path / "m")
    check(tmp_path / "m")


def test_local_files_are_used_as_they_are(tmp_path: Path) -> None:
    assert fetch.local(str(tmp_path)) == tmp_path
    assert fetch.local(f"file://{tmp_path}") == tmp_path
    with pytest.raises(FetchError, match="there is no such file or folder"):
        fetch.local(str(tmp_path / "nothing"))
    (tmp_path / "x").write_bytes(b"x")
    assert fetch.fetch(str(tmp_path / "x"), tmp_path / "copy").read_bytes() == b"x"


def test_the_cache(web: stores.Web, tmp_path: Path) -> None:
    environment = {"MILLRACE_CACHE": str(tmp_path)}
    first = fetch.local(f"{web.url}/iris/", environment)
    assert fetch.local(f"{web.url}/iris/", environment) == first
    check(first)
    assert web.asked["iris/model.joblib"] == 1
    web.files["iris/data/x"] = b"y"
    second = fetch.local(f"{web.url}/iris/", environment)
    assert (second / "data" / "x").read_bytes() == b"y"
    check(first)  # somebody may be reading it
    assert fetch.local(f"{web.url}/iris/model.joblib", environment).name == "model.joblib"


def test_the_cache_keeps_few_states_of_a_model(web: stores.Web, tmp_path: Path) -> None:
    found = []
    for number in range(fetch.STATES_KEPT + 2):
        web.files["iris/data/x"] = b"%d" % number
        found.append(fetch.local(f"{web.url}/iris/", {"MILLRACE_CACHE": str(tmp_path)}))
        os.utime(found[-1], (number, number))
    assert [each.exists() for each in found] == [False, False, True, True, True]
    old, new = (tmp_path / f".{found[-1].name.partition('-')[0]}-{state}.part-x" for state in ("old", "new"))
    for left in (old, new):
        left.mkdir()
    os.utime(old, (0, 0))
    fetch.local(f"{web.url}/iris/", {"MILLRACE_CACHE": str(tmp_path)})
    assert (old.exists(), new.exists()) == (False, True)


def test_a_cache_that_cannot_be_written_to_is_read(
    web: stores.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"MILLRACE_CACHE": str(tmp_path)}
    first = fetch.local(f"{web.url}/iris/", environment)
    monkeypatch.setattr(fetch, "_lock", None)  # nothing may be locked, nor made
    assert fetch.local(f"{web.url}/iris/", environment) == first


def test_where_the_cache_is() -> None:
    assert fetch.cache_folder({"MILLRACE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert fetch.cache_folder({"XDG_CACHE_HOME": "/b", "HOME": "/c"}) == Path("/b/millrace")
    assert fetch.cache_folder({"HOME": "/c"}) == Path("/c/.cache/millrace")


def test_threads_that_fetch_the_same_wait_for_one_another(web: stores.Web, tmp_path: Path) -> None:
    web.delay_s = 0.1
    environment = {"MILLRACE_CACHE": str(tmp_path)}
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: fetch.local(f"{web.url}/iris/", environment), range(4)))
    check(found.pop())
    assert not found
    assert web.asked["iris/model.joblib"] == 1


CODE = """\
import resource, sys
from executor.storage import fetch
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print(fetch.local(sys.argv[1]))
"""


def start(web: stores.Web, folder: Path, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, f"{web.url}/iris/", str(limit)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "MILLRACE_CACHE": str(folder)},
    )  # fmt: skip


def test_processes_that_fetch_the_same_wait_for_one_another(web: stores.Web, tmp_path: Path) -> None:
    web.delay_s = 0.3
    said = [each.communicate(timeout=60) for each in [start(web, tmp_path) for _ in range(3)]]
    (folder,) = {Path(out.strip()) for out, _ in said}
    check(folder)
    assert web.asked["iris/model.joblib"] == 1


def test_a_process_that_is_killed_holds_nobody_up(web: stores.Web, tmp_path: Path) -> None:
    web.delay_s = 5.0
    first = start(web, tmp_path)
    while not web.asked["iris/data/x"]:
        assert first.poll() is None
    first.kill()
    first.communicate(timeout=60)
    web.delay_s = 0.0
    check(fetch.local(f"{web.url}/iris/", {"MILLRACE_CACHE": str(tmp_path)}))


def test_a_disk_that_takes_no_more(web: stores.Web, tmp_path: Path) -> None:
    process = start(web, tmp_path, limit=10_000)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "File too large" in err.splitlines()[-1]
    assert web.asked["iris/model.joblib"] == 1
    assert inside(tmp_path) == set()


def test_a_folder_that_cannot_be_made(web: stores.Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="cannot be written: "):
        fetch.fetch(f"{web.url}/iris/", tmp_path / "file" / "m")
