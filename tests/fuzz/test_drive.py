"""Tests what the fuzzers share: cases come again, failures of every kind are kept, and bytes are changed."""

import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fuzz import __main__ as program
from fuzz import drive, mutate
from fuzz.drive import Case, Fuzzer, Notebook
from support.frames import Peer

TESTS = Path(__file__).resolve().parents[1]
PLANTED = """
import os
from fuzz.drive import Case, Fuzzer

class Planted(Fuzzer):
    def corpus(self):
        return [Case("fine", b"fine"), Case("odd", b"{name}")]

def attempt(rng, case):
    if case.kind == "odd":
        {what}
    return True

FUZZER = Planted.simple("{name}", lambda rng, seeds: seeds[0], attempt)
"""


class Small(Fuzzer):
    """A fuzzer with a corpus of its own."""

    def corpus(self) -> list[Case]:
        return [Case("word", b"one"), Case("word", b"two")]


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    return Case(rng.choice(seeds).kind, rng.randbytes(4))


def refuse(rng: random.Random, case: Case) -> bool:
    if case.data[0] > 200:
        raise ValueError(f"broken by {case.data!r}")
    return case.data[0] > 100


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(drive, "KEPT", tmp_path)
    return tmp_path


def test_a_seed_makes_the_same_cases_and_the_corpus_comes_first() -> None:
    told: list[list[Case]] = [[], [], []]
    fuzzer = Small.simple("small", make, lambda rng, case: True)
    for seed, cases in zip((1, 1, 2), told, strict=True):
        assert fuzzer.run(seed, 20, note=cases.append) == (20, 20)
    assert told[0] == told[1]
    assert told[0][:2] == told[2][:2] == fuzzer.corpus()
    assert told[0][2:] != told[2][2:]


def test_a_case_that_fails_is_kept_and_fails_again(kept: Path) -> None:
    fuzzer = Small.simple("small", make, refuse)
    with pytest.raises(ValueError, match="broken by") as caught:
        fuzzer.run(3)
    (path,) = kept.iterdir()
    case = drive.stored(path)
    assert case.kind == "word"
    assert case.data[0] > 200
    assert caught.value.__notes__[0].startswith("small: seed 3, case ")
    assert path.name in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="broken by"):
        fuzzer.replay(case)
    assert fuzzer.replay(Case("word", b"x"))


def test_a_notebook_tells_the_last_case(tmp_path: Path) -> None:
    path = tmp_path / "note"
    notebook = Notebook(path)
    assert Notebook.read(path) is None
    for case in (Case("long", b"a\nb" * 1000), Case("short", b"")):
        notebook.write(case)
        assert Notebook.read(path) == case


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a fuzzer may be written that the command line finds."""
    (tmp_path / "fuzz").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}:{tmp_path}")
    drive.KEPT.mkdir(parents=True, exist_ok=True)
    yield tmp_path / "fuzz"
    for path in drive.KEPT.glob("planted_*"):
        path.unlink()


@pytest.mark.parametrize(
    ("name", "what", "told"),
    [
        ("planted_error", "raise ValueError('no good')", "no good"),
        ("planted_crash", "os.abort()", "ended the process with -6"),
        ("planted_hang", "import signal; signal.alarm(1); signal.pause()", "a case took too long"),
    ],
)
def test_failures_are_told_and_kept(
    planted: Path, capfd: pytest.CaptureFixture[str], name: str, what: str, told: str
) -> None:
    (planted / f"{name}.py").write_text(PLANTED.format(name=name, what=what))
    assert not program.in_a_process(name, 1, 5.0)
    (path,) = drive.KEPT.glob(f"{name}-*")
    assert drive.stored(path) == Case("odd", name.encode())
    said = capfd.readouterr().err
    assert told in said
    assert f"--replay {os.path.relpath(path)}" in said
    assert not program.in_a_process(name, 1, 5.0, path)


def test_a_fuzzer_that_finds_nothing_says_how_much_it_did(planted: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (planted / "planted_none.py").write_text(PLANTED.format(name="planted_none", what="pass"))
    assert program.in_a_process("planted_none", 7, 0.2)
    assert "fuzz: planted_none: seed 7: " in capfd.readouterr().out
    assert not list(drive.KEPT.glob("planted_none-*"))


def test_names_that_are_no_fuzzer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", "htpp2"])
    with pytest.raises(SystemExit):
        program.main()
    assert "there is no htpp2; fuzzers: http2, seldon" in capsys.readouterr().err


@pytest.mark.parametrize("name", program.NAMES)
def test_the_corpus_is_small_and_each_fuzzer_accepts_of_it(name: str) -> None:
    fuzzer = program.fuzzer(name)
    cases = fuzzer.corpus()
    assert max(len(case.data) for case in cases) < 4096
    count, accepted = fuzzer.run(0, len(cases))
    assert count == len(cases)
    assert accepted >= count / 2


@pytest.mark.parametrize("name", ["server", "manifest"])
def test_nothing_is_found_in_a_moment(name: str) -> None:
    count, accepted = program.fuzzer(name).run(1, 300)
    assert count == 300
    assert 0 < accepted < count


def test_changes_are_many_and_leave_the_original_alone() -> None:
    data = bytes(range(50))
    made = {mutate.changed(random.Random(number), data, [b"token"], [b"other"]) for number in range(300)}
    assert len(made) > 200
    assert data in made
    assert any(b"token" in each for each in made)


def test_frames_are_found_and_shuffled_whole() -> None:
    peer = Peer()
    frames = [peer.preface()[:24], peer.settings(), peer.ping(), peer.data(1, b"x" * 300), peer.window(0, 5)]
    stream = b"".join(frames)
    assert mutate.frames_of(stream) == frames
    assert mutate.frames_of(stream + b"\0\0\x05") == [*frames, b"\0\0\x05"]
    made = {mutate.shuffled(random.Random(number), stream, stream) for number in range(200)}
    assert stream in made
    assert peer.ping() * 4 in b"|".join(made), "frames are repeated"
    assert any(each.endswith(peer.ping()) for each in made), "frames are moved"
    assert sum(peer.data(1, b"x" * 300)[9:] in each for each in made) > len(made) / 3, (
        "what is in a frame stays together"
    )
