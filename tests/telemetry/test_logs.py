"""How lines of the log look, and that nobody waits for whoever reads them."""

import json
import logging
import os
import re
import sys
import threading
from pathlib import Path

import pytest
from support import logged
from support.processes import poll

from executor import errors
from executor.telemetry import logs

log = logging.getLogger("millrace.test")


def test_console_lines(tmp_path: Path) -> None:
    with logged.to_file(tmp_path / "log", "info", "console", 2) as told:
        log.info("it %s", "goes", extra={"fields": {"puid": "a b", "code": 200, "node": "", "took": 0.25}})
        log.debug("not this")
        (line,) = told.lines
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO millrace\.test: worker 2: "
        r'it goes \(puid="a b" code=200 took=0\.25\)',
        line,
    )


def test_json_lines(tmp_path: Path) -> None:
    with logged.to_file(tmp_path / "log", "info", "json", 2) as told:
        log.warning('two\nlines and a "quote"', extra={"fields": {"node": "m", "code": 500}})
        (said,) = told.said
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("timestamp"))
    assert said == {
        "level": "warning", "logger": "millrace.test", "message": 'two\nlines and a "quote"', "worker": 2,
        "pid": os.getpid(), "node": "m", "code": 500,
    }  # fmt: skip


@pytest.mark.parametrize("form", logs.FORMATS)
def test_a_traceback_belongs_to_its_line(tmp_path: Path, form: str) -> None:
    with logged.to_file(tmp_path / "log", "info", form) as told:
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("failed")
        found = told.lines
    trace = json.loads(found[0])["exception"] if form == "json" else "\n".join(found[1:])
    assert trace.startswith("Traceback (most recent call last):\n")
    assert trace.endswith("\nValueError: no")


def test_a_flood_of_tracebacks_is_counted(tmp_path: Path) -> None:
    with logged.to_file(tmp_path / "log", "info", "json") as told:
        for number in range(100):
            try:
                raise ValueError(number)
            except ValueError:
                record = log.makeRecord(log.name, logging.ERROR, "f", 7, "failed", (), sys.exc_info())
            record.created = 1000.0
            told.output.emit(record)
        told.output.emit(log.makeRecord(log.name, logging.INFO, "f", 8, "later", (), None))
        said = told.said
    assert [each["message"] for each in said] == ["failed"] * 5 + ["and 95 more like: failed", "later"]
    assert ["exception" in each for each in said] == [True] * 5 + [False] * 2


def test_levels(tmp_path: Path) -> None:
    with logged.to_file(tmp_path / "log", "warning") as told:
        assert logs.level() == "warning"
        log.info("no")
        assert logs.set_level(" Debug ") == "debug"
        log.debug("yes")
        assert [line.rpartition(" ")[2] for line in told.lines] == ["yes"]
        with pytest.raises(errors.RequestError, match=r"'loud': allowed are debug, info, warning, error, critical"):
            logs.set_level("loud")
        assert logs.level() == "debug"


def test_starting_again_takes_the_place_of_what_was_before(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with logged.to_file(tmp_path / "one", "info") as one:
        (writer,) = set(threading.enumerate()) - before
        log.info("one")
        with (tmp_path / "two").open("w") as stream:
            output = logs.start("info", stream=stream)
            log.info("two")
            output.flush()
            assert logs.current() is output
            poll(lambda: not writer.is_alive(), what="the first writer ends")
            output.close()
    assert [line.rpartition(" ")[2] for line in one.lines] == ["one"]
    assert (tmp_path / "two").read_text().endswith(" two\n")


def test_nobody_waits_when_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAITING_BYTES", 64 * 1024)
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as reader, os.fdopen(writes, "w") as stream, logged.to_stream(stream, "info") as output:
        for number in range(5000):
            log.info("%d %s", number, "x" * 100)
        assert output.lost > 1000
        got = bytearray()

        def told() -> bool:
            got.extend(os.read(reader.fileno(), 1 << 16))
            return b"lines of this log were dropped" in got

        poll(told, what="what was lost is told once somebody reads")
        found = bytes(got).decode()
        assert "INFO millrace.test: 0 x" in found
        lost = re.search(r"millrace\.logs: (\d+) lines of this log were dropped, since nobody read them", found)
        assert lost is not None
        assert int(lost[1]) > 0


def test_a_reader_that_is_gone_is_no_failure() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as stream, logged.to_stream(stream, "info") as output:
        for _ in range(10):
            log.info("to nobody")
            output.flush()
    assert output.lost == 0


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with os.fdopen(reads, "rb") as reader, os.fdopen(writes, "w") as stream, logged.to_stream(stream, "info"):
        for number in range(3000):
            log.info("%d %s", number, "x" * 100)
        got = bytearray()

        def complete() -> bool:
            got.extend(os.read(reader.fileno(), 1 << 16))
            return b"2999 xxx" in got

        poll(complete, what="all lines")
        assert bytes(got).count(b"\n") == 3000


def test_what_steers_a_terminal_is_shown() -> None:
    assert logs.shown("a\x1b[31m\r\nb\x9b\x7f") == r"a\x1b[31m\x0d\x0ab\x9b\x7f"


SERVED = [(1000.5, ("grpc", "/p", "OK", f"id-{number}", 1.25, 3, 4)) for number in range(200)]


@pytest.mark.parametrize("form", logs.FORMATS)
def test_lines_of_the_access_log_are_as_others(tmp_path: Path, form: str) -> None:
    fields = {"protocol": "grpc", "path": "/p", "code": "OK", "puid": "id-0", "duration_ms": 1.25}
    with logged.to_file(tmp_path / "log", "info", form, 3) as told:
        quoted = [(when, (a, f'"{b}"', f'"{c}"', f'"{d}"', *rest)) for when, (a, b, c, d, *rest) in SERVED]
        told.output.access(SERVED if form == "console" else quoted)  # type: ignore[arg-type]
        told.output.write(1000.5, "INFO", logs.ACCESS, "request", {**fields, "bytes_in": 3, "bytes_out": 4})
        if form == "json":
            lines = [json.dumps(json.loads(line)) for line in told.lines]
        else:
            lines = [line.replace("1.250", "1.25") for line in told.lines]
    assert len(lines) == 201
    assert lines[0] == lines[-1]
    assert "id-199" in lines[199]


def test_lines_that_go_together_are_lost_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAITING_BYTES", 0)
    with logged.to_file(tmp_path / "log", "info") as told:
        told.output.access(SERVED)
        assert told.output.lost == 200
