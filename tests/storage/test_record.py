"""The record of a fetched folder."""

from pathlib import Path

import pytest

from executor.storage import names
from executor.storage.record import Record, checksum, fingerprint
from executor.storage.sources import Entry

ENTRIES = [Entry("b/c", "", 3, "t"), Entry("a", "", None, "")]


def made(folder: Path, single: bool = False) -> Record:
    (folder / "b").mkdir()
    (folder / "b" / "c").write_bytes(b"123")
    (folder / "a").write_bytes(b"")
    entries = ENTRIES[:1] if single else ENTRIES
    record = Record.of("s3://x", fingerprint(entries, single), single, folder, entries)
    record.write(folder)
    return record


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = made(tmp_path)
    assert Record.read(tmp_path) == record
    assert record.fault(tmp_path) is None
    assert record.files["b/c"].size == 3
    assert record.files["b/c"].sha256 == "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3"
    assert record.path(tmp_path) == tmp_path
    assert sorted(each.name for each in tmp_path.iterdir()) == [names.RECORD, "a", "b"]


def test_the_one_file_that_was_asked_for(tmp_path: Path) -> None:
    assert made(tmp_path, single=True).path(tmp_path) == tmp_path / "b" / "c"


def test_fingerprints_tell_states_apart() -> None:
    base = fingerprint(ENTRIES, False)
    assert fingerprint(list(reversed(ENTRIES)), False) == base
    for changed in (Entry("b/c", "", 4, "t"), Entry("b/c", "", 3, "u"), Entry("b/d", "", 3, "t")):
        assert fingerprint([changed, ENTRIES[1]], False) != base
    assert fingerprint(ENTRIES, True) != base


def test_what_is_not_as_it_was(tmp_path: Path) -> None:
    record = made(tmp_path)
    file = tmp_path / "b" / "c"
    file.write_bytes(b"124")
    assert record.fault(tmp_path) == "the checksum of b/c is another one"
    file.write_bytes(b"1234")
    assert record.fault(tmp_path) == "b/c has 4 bytes, not 3"
    file.unlink()
    assert record.fault(tmp_path) == "b/c is missing"
    file.symlink_to("/etc/hostname")
    assert record.fault(tmp_path) == "b/c is missing"
    assert checksum(tmp_path / "a").startswith("e3b0c442")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "files": {}}', '{"version": 1, "files": 3}',
     '{"version": 1, "files": {"../x": {"size": 1, "sha256": ""}}, "uri": "", "fingerprint": "", "single": false}'],
)  # fmt: skip
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / names.RECORD).write_text(text)
    assert Record.read(tmp_path) is None
