"""Owns the tests of `bench.scenarios`, `bench.profiles` and `bench.gates`: the table holds together, graphs and all."""

import json
from pathlib import Path

import pytest

from bench import gates, profiles, scenarios, targets
from bench.runner import Options
from bench.stage import MILLRACE
from executor import manifest
from executor.component import load
from executor.graph import plan


@pytest.mark.parametrize("name", [name for name, each in scenarios.SCENARIOS.items() if each.graph])
def test_each_graph_is_accepted(name: str, tmp_path: Path) -> None:
    scenario = scenarios.SCENARIOS[name]
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(scenarios.manifest(scenario)))
    reached = [*scenario.remote, *scenario.inside]
    selected = manifest.load(path, manifest.Profile.LOCAL, reached=reached)
    compiled = plan.compile_plan(selected.predictor, selected.deployment.name)
    names = {node.name for node in compiled.nodes}
    assert set(reached) <= names


def test_each_baseline_is_known_and_described() -> None:
    named = {name for each in scenarios.SCENARIOS.values() for name in each.against}
    assert named <= set(targets.CONTENDERS)
    assert set(targets.ABOUT) == set(targets.CONTENDERS)


def test_each_request_passes_for_right_where_nodes_echo() -> None:
    for scenario in scenarios.SCENARIOS.values():
        size = scenario.sizes[0]
        if scenario.name not in ("onnx", "feedback", "rest-compose", "grpc-compose"):
            assert scenario.check(size)(scenario.request(size)) == "", scenario.name


def test_the_wrappers_class_is_one_for_all_and_knows_no_executor() -> None:
    for name in ("wrapper-rest", "wrapper-grpc"):
        scenario = scenarios.SCENARIOS[name]
        assert (scenario.alone, scenario.serves) == (scenarios.SELDON_ECHO, "microservice")
        assert "seldon-wrapper" in scenario.against
    made = load.component(load.target_of(scenarios.SELDON_ECHO), {}, imported=True)
    assert made.predict([1], []) == [1]


def test_large_payloads_come_in_fewer_streams() -> None:
    node = scenarios.SCENARIOS["node"]
    assert [node.shape(size) for size in node.sizes] == [(8, 16), (8, 16), (4, 4), (2, 2)]
    assert scenarios.SCENARIOS["latency"].shape(64) == (1, 1)


def test_the_quick_profile_is_part_of_the_full_one() -> None:
    quick = {(cell.scenario.name, cell.size) for cell in profiles.quick()}
    full = {(cell.scenario.name, cell.size) for cell in profiles.full()}
    assert quick < full
    assert {name for name, _ in full} == set(scenarios.SCENARIOS)


def test_profiles_begin_with_the_executor() -> None:
    assert all(cell.targets[0] == MILLRACE for cell in profiles.full())


def test_a_choice_takes_payloads_and_contenders_as_given() -> None:
    (cell,) = profiles.chosen(["node"], ["nghttpx"], [4096], Options())
    assert (cell.size, cell.targets) == (4096, ("millrace", "nghttpx"))


def test_one_call_at_a_time_has_no_open_loop() -> None:
    (cell,) = profiles.chosen(["latency"], None, [], Options())
    assert cell.options.open_s == 0


def run(target: str, cost: float, scenario: str = "node", size: int = 64) -> dict[str, object]:
    """As much of a run as a gate looks at."""
    return {"scenario": scenario, "payload_bytes": size, "target": target, "cpu_us_per_request": cost}


def test_a_gate_is_a_ratio_within_one_run() -> None:
    (verdict,) = gates.verdicts([run("millrace", 9.0), run("go-proxy", 40.0), run("raw-tcp", 1.0)])
    assert verdict.ratio == 0.225
    assert verdict.kept
    lines = gates.lines([run("millrace", 11.0), run("go-proxy", 40.0)])
    assert lines[0] == "gate missed: node 64 B: 0.28 × go-proxy, at most 0.25"
    assert [line.split(":")[0] for line in lines] == ["gate missed", "target kept"]


def test_a_gate_needs_both_sides() -> None:
    assert gates.verdicts([run("millrace", 9.0)]) == []


def test_gates_are_on_what_is_measured() -> None:
    for gate in gates.GATES:
        scenario = scenarios.SCENARIOS[gate.scenario]
        assert gate.payload_bytes in scenario.sizes
        assert gate.baseline in scenario.against


def test_a_target_is_a_cost_and_may_be_what_further_nodes_add() -> None:
    runs = [run("millrace", 7.0), run("millrace", 15.0, "chain3"), run("millrace", 30.0, "fan3")]
    assert [str(aim) for aim in gates.aims(runs)] == [
        "target kept: node 64 B: 7 µs, at most 15",
        "target kept: chain3 64 B: 4 µs for each node beyond the first, at most 10",
        "target missed: fan3 64 B: 11.5 µs for each node beyond the first, at most 10",
    ]


def test_targets_are_on_what_is_measured() -> None:
    for target in gates.TARGETS:
        assert target.payload_bytes in scenarios.SCENARIOS[target.scenario].sizes
        assert target.beyond in ("", *scenarios.SCENARIOS)


def test_the_quick_profile_counts_calls_where_there_are_gates_and_leaves_slow_baselines_out_elsewhere() -> None:
    cells = {(cell.scenario.name, cell.size): cell for cell in profiles.quick()}
    assert all(cells[gate.scenario, gate.payload_bytes].options.syscall_s > 0 for gate in gates.GATES)
    assert "aio-numpy" in cells["node", 64].targets
    assert "aio-numpy" not in cells["node", 4096].targets
    assert cells["deadline", 64].targets == (MILLRACE, "go-proxy", "aio-proxy")


def test_only_scenarios_with_one_node_are_timed_for_promptness_and_tls() -> None:
    chosen = [each for each in scenarios.SCENARIOS.values() if each.asks or each.tls]
    assert {each.name for each in chosen} == {"tls", "tls-node", "deadline", "cancel"}
    assert all(dict(each.remote) == {"m": "grpc"} for each in chosen)
    tls = [each for each in chosen if each.tls]
    assert all(set(each.against) <= set(targets.TLS) for each in tls)
