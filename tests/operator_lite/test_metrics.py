"""Tests `metrics`: the text that Prometheus reads."""

from operator_lite.metrics import Metrics


def test_the_text() -> None:
    found = Metrics()
    found.requests.add("get", "200")
    found.requests.add("get", "200")
    found.requests.add("put", "409")
    for seconds in (0.001, 0.3, 99.0):
        found.seconds.add(seconds)
    found.gauge("odd", "Odd names.", lambda: {('a"b\\\n',): 2.5}, ("name",))
    found.gauge("leader", "Whether.", lambda: {(): 1.0})
    text = found.text()
    assert "# TYPE millrace_operator_api_requests_total counter\n" in text
    assert 'millrace_operator_api_requests_total{verb="get",code="200"} 2\n' in text
    assert 'millrace_operator_api_requests_total{verb="put",code="409"} 1\n' in text
    assert 'millrace_operator_reconcile_seconds_bucket{le="0.005"} 1\n' in text
    assert 'millrace_operator_reconcile_seconds_bucket{le="0.5"} 2\n' in text
    assert 'millrace_operator_reconcile_seconds_bucket{le="+Inf"} 3\n' in text
    assert "millrace_operator_reconcile_seconds_count 3\n" in text
    assert 'millrace_operator_odd{name="a\\"b\\\\\\n"} 2.5\n' in text
    assert "\nmillrace_operator_leader 1\n" in text
