"""An id that is longer than any that people make: all of the way that a short one goes."""

from pathlib import Path

import pytest
from support import serving
from support.clients import Refused, clients
from support.foreign import grpc_node
from support.processes import Programs, poll
from support.receiver import Receiver
from support.serving import node

from executor.state.sqlite import SqliteStore

LONG = 6000
LONGEST = 40 << 10
"""What an answer over gRPC has room for."""
SAID = 2048
"""What the log has of an id."""


@pytest.mark.parametrize("front", ["rest", "grpc"])
def test_a_long_puid_is_all_that_a_short_one_is(tmp_path: Path, front: str) -> None:
    seen: list[str] = []

    def answer(method: str, said: object, headers: dict[str, str]) -> object:
        seen.append(headers["seldon-puid"])
        return {"strData": "y"}

    with Receiver() as receiver, grpc_node(answer) as url, Programs() as programs:
        log = {"mode": "all", "url": receiver.url}
        models = [node(name, "model", logger=log) for name in ("a", "b")]
        root = node("r", "", *models, implementation="EPSILON_GREEDY", best_branch=1)
        path = tmp_path / "graph.yaml"
        path.write_text(serving.deployment(root))
        given = ("--endpoint", f"a={url}", "--endpoint", f"b={url}", "--state", str(tmp_path / "s"), "--workers", "1")
        program = programs.serve("run", str(path), *given, "--access-log").ready()
        with clients(program.grpc, program.http_port) as made:
            client = made[front]
            # They differ in their last letter alone.
            puids = [f"{'p' * LONG}{end}" for end in "ab"]
            for puid in puids:
                reply = client.predict({"strData": "x"}, [("seldon-puid", puid)])
                assert (reply.puid, reply.said["meta"]["puid"], seen[-1]) == (puid, puid, puid)
                for _ in range(2):  # the second one is for the same request
                    client.feedback({"response": reply.said, "reward": 1})
            wrong = {"response": {"meta": {"puid": puids[0], "routing": {"r": 7}}}, "reward": 1}
            with pytest.raises(Refused, match="routing is 7"):
                client.feedback(wrong, [("seldon-puid", puids[0])])
        poll(lambda: len(receiver.received) >= 8, 20)
        assert set(puids) <= {event.headers["Ce-Requestid"] for event in receiver.received}
        poll(lambda: f"puid={'p' * SAID} " in program.err, 20)
        assert "p" * (SAID + 1) not in program.err
        store = SqliteStore(str(tmp_path / "s"))
        try:
            assert sum(branch.rewards for branch in store.read("demo/main/r").values()) == 2
        finally:
            store.close()


@pytest.mark.parametrize("front", ["rest", "grpc"])
def test_a_node_that_says_the_id_in_its_headers_may_do_so(front: str) -> None:
    puid = "p" * LONGEST
    with serving.component("Moody") as told:
        with serving.graph(node("m", "model"), endpoints={"m": f"grpc://{told.target}"}) as served:
            asked = getattr(served, front)
            assert asked.predict({"strData": "x"}, [("seldon-puid", puid)]).puid == puid
            with pytest.raises(Refused) as caught:
                asked.predict({"strData": "fail"}, [("seldon-puid", puid)])
            assert "predict raised ValueError: out of mood" in caught.value.text  # and not that something was too long
            with pytest.raises(Refused, match=r"an answer has room for 40960 bytes|at most 49152 can be sent"):
                asked.predict({"strData": "x"}, [("seldon-puid", "p" * 60_000)])
