"""Owns the tests of `bench.histogram` against the buckets that the generator records in."""

import pytest

from bench import histogram
from executor._native import probe_load


@pytest.mark.parametrize("value", [0, 1, 255, 256, 257, 1000, 12345, 10**6, 987654321, 3 * 10**11])
def test_a_bucket_stands_for_its_values_within_half_a_percent(value: int) -> None:
    middle = histogram.middle_of(probe_load.bucket_of(value))
    assert middle == pytest.approx(value, rel=0.004, abs=0.5)


def test_buckets_rise_with_their_values() -> None:
    found = [probe_load.bucket_of(value) for value in range(0, 100_000, 7)]
    assert found == sorted(found)


def test_what_is_beyond_the_histogram_is_kept_in_its_last_bucket() -> None:
    assert probe_load.bucket_of(2**60) == probe_load.bucket_of(2**63)


def test_quantiles_of_known_values() -> None:
    pairs = histogram.merged([[(probe_load.bucket_of(1000 * value), 1)] for value in range(1, 101)])
    for quantile, value in ((0.5, 50), (0.99, 99), (1.0, 100)):
        assert histogram.quantile_us(pairs, quantile) == pytest.approx(value, rel=0.005)


def test_nothing_recorded_has_no_quantile() -> None:
    assert histogram.quantile_us([], 0.5) is None
    assert histogram.curve([]) == []


def test_merging_adds_up() -> None:
    assert histogram.merged([[(3, 1), (9, 2)], [(1, 5), (3, 4)]]) == [(1, 5), (3, 5), (9, 2)]


def test_the_curve_ends_where_the_values_do() -> None:
    quantiles = [quantile for quantile, _ in histogram.curve([(300, 1000)])]
    assert 0.999 in quantiles
    assert 0.9999 not in quantiles
    assert quantiles[-1] == 1.0
