"""Owns tests of native memory as Python sees it: lending, lifetime, and the count of live buffers."""

import pytest

from executor._native import buffer, message


def test_lent_memory_is_the_same_memory() -> None:
    data = b"x" * 100
    lent = message.Message(data).parts()[0]
    assert isinstance(lent, buffer.Memory)
    assert len(lent) == 100
    assert bytes(lent) == data


def test_lent_memory_outlives_its_message() -> None:
    before = buffer.live_buffers()
    lent = message.Message(bytearray(b"abc" * 1000)).parts()[0]
    assert buffer.live_buffers() == before + 1
    assert bytes(lent) == b"abc" * 1000
    del lent
    assert buffer.live_buffers() == before


def test_parts_of_a_message_cannot_be_written_to() -> None:
    view = memoryview(message.Message(bytearray(b"abc")).parts()[0])
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1


@pytest.mark.parametrize("size", [1, 255, 256, 257, 4096, 1 << 20, (8 << 20) + 1])
def test_memory_is_whole_at_every_size(size: int) -> None:
    before = buffer.live_buffers()
    data = bytearray(b"\xa5" * size)
    for _ in range(3):
        # The second and third round get what the first gave back.
        assert bytes(message.Message(data)) == data
    assert buffer.live_buffers() == before


def test_bytes_stay_alive_while_their_memory_is_lent() -> None:
    lent = message.Message(b"".join([b"abc", b"def"])).parts()[0]
    assert bytes(lent) == b"abcdef"


def test_shelves_keep_no_more_than_they_are_told() -> None:
    data = bytearray(b"\xa5" * (1 << 20))
    try:
        for size in (0, 1 << 20, 1 << 40):
            buffer.keep_at_most(size)
            kept = [message.Message(data) for _ in range(3)]
            assert [bytes(each) == data for each in kept] == [True] * 3
            del kept
    finally:
        buffer.keep_at_most(1 << 40)


@pytest.mark.parametrize("size", [1, 256, 257, 5000, 1 << 20, (8 << 20) + 1])
def test_room_is_at_least_the_size(size: int) -> None:
    assert size <= buffer.room(size) <= max(256, 2 * size)
