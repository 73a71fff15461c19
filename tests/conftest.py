"""Owns what holds for the whole suite. Must not hold fixtures of single areas; those live in tests/support."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.processes import Programs

# A busy machine must not fail a property test by its clock, and in CI the same commit must give the same result.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True, scope="module")
def _no_garbage_of_others() -> None:
    """Tests that count what native code holds begin without what earlier modules left to the collector."""
    gc.collect()
    gc.freeze()  # what is left stays: to look through all of it again and again took a third of the suite's time


@pytest.fixture
def programs() -> Iterator[Programs]:
    """What starts programs, and has stopped them all by the test's end."""
    with Programs() as started:
        yield started
