"""What was lost, said in few lines."""

import logging

import pytest
from support.rest import until

from executor.telemetry import losses
from executor.telemetry.losses import Losses


async def test_the_first_is_said_at_once_and_others_together(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(losses, "TELL_S", 0.02)
    told = Losses("things lost")
    with caplog.at_level(logging.WARNING):
        told.add(1, "full")
        told.add(2, "full")
        told.add(3, "down")
        assert [each.message for each in caplog.records] == ["things lost: 1: full"]
        await until(lambda: len(caplog.records) == 2)
        assert caplog.records[1].message == "things lost: 3: down; 2: full"
        told.add(1, "late")
        told.close()
        assert caplog.records[2].message == "things lost: 1: late"
        told.close()
    assert len(caplog.records) == 3


async def test_many_reasons_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    told = Losses("things lost")
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            told.add(1, f"reason {number}")
        told.close()
    assert caplog.records[-1].message.count("reason ") == losses.REASONS_MAX
    assert "11: other reasons" in caplog.records[-1].message
