"""`mean` and `seldon_tensor`, AVERAGE_COMBINER without Python: the same bytes as the component's.

The component gets every call that is not plain.
"""

from collections.abc import Sequence
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.graphs import node, plan

from executor import errors
from executor._native import exits, flow, front, mean, program, seldon, seldon_json, transport
from executor._native import message as native
from executor._pb import seldon_pb2 as pb
from executor.component.host import Host
from executor.graph.builtin import AverageCombiner
from executor.types import Encoding, Method, Mode, Walk


class Combined:
    """A combiner over children that answer what they are told, with and without the native mean."""

    def __init__(self, answers: Sequence[native.Message], direct: bool) -> None:
        self.calls = 0
        self._reactor = transport.Reactor()
        names = [f"c{index}" for index in range(len(answers))]
        bound: list[Any] = [self._combiner(direct)]
        for name, answer in zip(names, answers, strict=True):
            handlers = dict.fromkeys(Method, (Mode.QUICK, lambda message, context, answer=answer: answer))
            bound.append(exits.Component(self._reactor, name, handlers))
        made = plan(node("mean", "combiner", *(node(name) for name in names)))
        self._program = program.Program(made.nodes, bound)
        self._engine = flow.Engine(self._reactor)

    def _combiner(self, direct: bool) -> Any:
        mode, handle = Host(AverageCombiner(), "mean").handlers[Method.AGGREGATE]

        def counted(message: native.Message, context: Any) -> Any:
            self.calls += 1
            return handle(message, context)

        component = exits.Component(self._reactor, "mean", {Method.AGGREGATE: (mode, counted)})
        return mean.Mean(component) if direct else component

    async def answer(self) -> bytes:
        """What a request is answered."""
        request = seldon.build("strData", "x")
        asked = front.submit(self._engine, self._program, Walk.PREDICT, Method.PREDICT, request, [], "", 0)
        try:
            return bytes(await asked.future)
        finally:
            self._reactor.close()


async def both(answers: Sequence[native.Message]) -> tuple[bytes, bytes, int]:
    """The answer with the native mean and without, and how often the component was called for the first."""
    combined = Combined(answers, direct=True)
    return await combined.answer(), await Combined(answers, direct=False).answer(), combined.calls


@pytest.mark.parametrize("shape", [(1,), (7,), (1, 4), (3, 2), (2, 3, 4), (1, 1, 1, 5), (1, 300), (300, 1), (64, 129)])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
async def test_the_mean_is_the_component_s_to_the_bit(shape: tuple[int, ...], count: int) -> None:
    random = numpy.random.default_rng(count)
    values = [random.standard_normal(shape) * 10.0 ** random.integers(-300, 300, shape) for _ in range(count)]
    found, wanted, calls = await both([seldon.build("tensor", each, ["a", "b"]) for each in values])
    assert found == wanted
    assert calls == 0
    assert seldon.open(native.Message(found)).array().shape == shape


@given(
    arrays.arrays(numpy.float64, (3, 2, 5), elements=st.floats(allow_nan=False, width=64)),
    st.integers(0, 7),
)
@settings(max_examples=60, deadline=None)
async def test_any_numbers_at_any_address(values: Any, askew: int) -> None:
    # Bytes before the tensor move it in memory; unknown fields are passed over.
    items = [
        native.Message(b"\xfa\x07" + bytes([askew]) + bytes(askew) + bytes(seldon.build("tensor", v))) for v in values
    ]
    with numpy.errstate(over="ignore", invalid="ignore"):
        found, wanted, calls = await both(items)
    assert found == wanted
    assert calls == 0


async def test_infinities_and_nothing_are_added_as_numbers_are() -> None:
    values = [numpy.array([[numpy.inf, -0.0, 5e-324, numpy.nan]]), numpy.array([[1.0, -0.0, 0.0, 1.0]])]
    found, wanted, _ = await both([seldon.build("tensor", each) for each in values])
    assert found == wanted


def tensor(*values: float, **more: Any) -> native.Message:
    """A tensor of one row, and what else a message may say."""
    return seldon.build("tensor", numpy.array([values]), **more)


def raw_tensor(values: Sequence[float], shape: Sequence[int] = ()) -> bytes:
    """A tensor whatever its shape says."""
    return pb.SeldonMessage(data=pb.DefaultData(tensor=pb.Tensor(values=values, shape=shape))).SerializeToString()


HANDED_ON = {
    "another kind": [seldon.build("ndarray", [[1.0, 2.0]]), tensor(3.0, 4.0)],
    "tags": [tensor(1.0, meta={"tags": {"version": "1"}}), tensor(3.0)],
    "a puid": [tensor(1.0, meta={"puid": "p"}), tensor(3.0, meta={"puid": "p"})],
    "metrics": [tensor(1.0, meta={"metrics": [{"key": "k", "type": "GAUGE", "value": 1.0}]}), tensor(3.0)],
    "no shape": [native.Message(raw_tensor([1.0, 2.0]))] * 2,
    "an empty tensor": [seldon.build("tensor", numpy.zeros((0, 3)))] * 2,
    "text": [seldon.build("tftensor", numpy.array([[1.0]]))] * 2,
    "values in pieces": [native.Message(bytes(tensor(1.0)) + bytes(tensor(2.0)))] * 2,
}


@pytest.mark.parametrize("what", HANDED_ON)
async def test_what_is_not_plain_is_the_component_s(what: str) -> None:
    outcome = []
    for direct in (True, False):
        combined = Combined(HANDED_ON[what], direct)
        try:
            outcome.append(await combined.answer())
        except errors.Error as error:
            outcome.append(error.message.encode())
        assert combined.calls == 1
    assert outcome[0] == outcome[1]


async def test_an_empty_meta_says_nothing() -> None:
    found, wanted, calls = await both([native.Message(bytes(tensor(1.0)) + b"\x12\x00"), tensor(4.0)])
    assert found == wanted
    assert calls == 0


async def test_unequal_shapes_are_refused_in_the_component_s_words() -> None:
    combined = Combined([tensor(1.0, 2.0), tensor(3.0)], direct=True)
    with pytest.raises(
        errors.ComponentError, match=r"needs answers of one shape; got child 0 \(1, 2\), child 1 \(1, 1\)"
    ):
        await combined.answer()
    assert combined.calls == 1


async def test_a_shape_that_does_not_fit_its_numbers_is_refused_in_the_component_s_words() -> None:
    wrong = raw_tensor([1.0, 2.0], [1, 3])
    told = []
    for direct in (True, False):
        with pytest.raises(errors.Error) as refused:
            await Combined([native.Message(wrong)] * 2, direct).answer()
        told.append(refused.value.message)
    assert told[0] == told[1]


async def test_more_children_than_are_summed_natively_are_the_component_s() -> None:
    found, wanted, calls = await both([tensor(float(index)) for index in range(65)])
    assert found == wanted
    assert calls == 1


async def test_json_is_the_component_s() -> None:
    answers = [seldon_json.build("tensor", numpy.array([[value]])) for value in (1.0, 4.0)]
    combined = Combined(answers, direct=True)
    answer = native.Message(await combined.answer(), int(Encoding.SELDON_PROTO))
    assert seldon.open(answer).array().tolist() == [[2.5]]
