"""Owns what tests of whole programs share. Must not hold what one file alone needs."""

from collections.abc import Iterator

import pytest
from support.collector import GrpcCollector


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrpcCollector]:
    """A receiver of spans, which programs that start meanwhile send theirs to."""
    with GrpcCollector() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield made
