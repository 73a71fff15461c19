"""The words of protocol tables."""

from executor.protocol.table import Action, Rpc, by_path
from executor.types import Encoding, Form, Method, Walk


def test_rpcs_by_path() -> None:
    rpc = Rpc("a.B", "C")
    assert rpc.path == "/a.B/C"
    assert by_path((rpc, Rpc("a.B", "D"))) == {"/a.B/C": rpc, "/a.B/D": Rpc("a.B", "D")}


def test_an_rpc_is_one_call_of_one_message_unless_told_otherwise() -> None:
    rpc = Rpc("a.B", "C")
    assert (rpc.action, rpc.walk, rpc.method) == (Action.RUN, Walk.CALL, Method.PREDICT)
    assert (rpc.form, rpc.encoding) == (Form.MESSAGE, Encoding.SELDON_PROTO)
