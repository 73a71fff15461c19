"""What series are called, and that Seldon's families are Seldon's."""

import pytest

from executor.telemetry import families
from executor.telemetry.families import Kind


def test_a_key_is_what_is_written() -> None:
    assert families.REJECTED.key("queue") == b'millrace_requests_rejected_total{reason="queue"}'
    assert families.IN_FLIGHT.key() == b"millrace_requests_in_flight{}"


def test_values_are_escaped() -> None:
    assert families.key("n", [("a", 'x"y\\z\n')]) == b'n{a="x\\"y\\\\z\\n"}'
    assert families.key("n", [("a", "\ud800é")]).decode() == 'n{a="?é"}'


def test_a_key_has_all_labels() -> None:
    with pytest.raises(ValueError, match="zip"):
        families.REJECTED.key()


def test_seldons_families_are_as_dashboards_know_them() -> None:
    of = ["deployment_name", "predictor_name", "predictor_version"]
    server, client = families.SERVER, families.CLIENT
    assert server.name == "seldon_api_executor_server_requests_seconds"
    assert [*server.labels] == [*of, "service", "method", "code"]
    assert client.name == "seldon_api_executor_client_requests_seconds"
    models = ["model_name", "model_image", "model_version"]
    assert [*client.labels] == [*of, "service", *models, "method", "code"]
    assert server.bounds == client.bounds
    assert server.bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    for each, summary in ((server, families.SERVER_SUMMARY), (client, families.CLIENT_SUMMARY)):
        assert (summary.name, summary.labels) == (f"{each.name}_summary", each.labels)
        assert (each.kind, summary.kind) == (Kind.HISTOGRAM, Kind.SUMMARY)
    assert families.QUANTILES == (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)


def test_counters_end_with_total_and_nothing_else_does() -> None:
    for family in families.FAMILIES.values():
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
        assert family.help.endswith(".")


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("org/model:1.2", ("org/model", "1.2")),
        ("model", ("model", "")),
        ("host:5000/org/model", ("host:5000/org/model", "")),
        ("host:5000/org/model:3", ("host:5000/org/model", "3")),
        ("", ("", "")),
    ],
)
def test_images_have_a_name_and_a_tag(image: str, parts: tuple[str, str]) -> None:
    assert families.split_image(image) == parts


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("org/model:1.2", ("org/model", "1.2")),
        ("model", ("model", "")),
        ("host:5000/org/model", ("host", "5000/org/model")),
        ("host:5000/org/model:3", ("host:5000/org/model:3", "")),
        ("", ("", "")),
    ],
)
def test_calls_are_counted_with_the_image_as_seldon_parts_it(image: str, parts: tuple[str, str]) -> None:
    assert families.counted_image(image) == parts
