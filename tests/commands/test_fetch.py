"""`millrace fetch` as users call it."""

from pathlib import Path

import pytest
from support import processes
from support.commands import failure


def test_it_says_where_the_files_are(tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "model.onnx").write_bytes(b"x")
    for _ in range(2):
        done = processes.run("fetch", str(tmp_path / "iris"), str(tmp_path / "out"))
        assert (done.returncode, done.stdout) == (0, f"{tmp_path}/out\n"), done.stderr
    assert "fetched" not in done.stderr
    assert "is up to date" in done.stderr
    assert (tmp_path / "out" / "model.onnx").read_bytes() == b"x"


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "ftp:// is not known" in failure(capsys, "fetch", "ftp://h/x", str(tmp_path))
    (tmp_path / "mine").write_bytes(b"")
    assert "has files in it" in failure(capsys, "fetch", f"{tmp_path}/mine", str(tmp_path))


def test_what_is_not_there(tmp_path: Path) -> None:
    done = processes.run("fetch", str(tmp_path / "nothing"), str(tmp_path / "out"), "--log-level", "warning")
    assert done.returncode == 1
    assert done.stderr == f"millrace: {tmp_path}/nothing: there is no such file or folder\n"
    assert not (tmp_path / "out").exists()
