"""Owns what tests of native modules share. Must not hold what one file alone needs."""

from collections.abc import AsyncIterator

import pytest
from support.traced import Traced


@pytest.fixture
async def made() -> AsyncIterator[list[Traced]]:
    """Closes what is put in."""
    found: list[Traced] = []
    yield found
    for each in found:
        each.bench.close()
