"""The stand-in for `seldon_core.storage` says where the files of a URI are."""

from pathlib import Path

import pytest
from support.stores import Web

from executor.component import seldon_core
from executor.component.seldon_core.storage import Storage
from executor.errors import FetchError


def test_what_is_on_this_machine_is_used_as_it_is_or_linked(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    (model / "a.joblib").write_bytes(b"a")
    for uri in (str(model), f"file://{model}"):
        assert Storage.download(uri) == str(model)
    out = tmp_path / "new" / "folder"
    assert Storage.download(str(model), str(out)) == str(out)
    assert sorted(each.name for each in out.iterdir()) == ["a.joblib", "deep"]
    assert (out / "a.joblib").read_bytes() == b"a"
    assert Storage.download(str(model / "a.joblib"), str(tmp_path / "one")) == str(tmp_path / "one")
    assert (tmp_path / "one" / "a.joblib").is_symlink()
    with pytest.raises(FetchError, match="there is no such file or folder"):
        Storage.download(str(tmp_path / "nothing"))


def test_what_is_elsewhere_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path))
    with Web() as web:
        web.files = {"iris/model.joblib": b"12345"}
        assert Path(Storage.download(f"{web.url}/iris/"), "model.joblib").read_bytes() == b"12345"


def test_the_package_has_it_and_its_version() -> None:
    assert seldon_core.Storage is Storage
    assert seldon_core.__version__ == "1.18.2"
    with pytest.raises(AttributeError, match="module 'seldon_core' has no attribute 'Other'"):
        seldon_core.Other  # noqa: B018
