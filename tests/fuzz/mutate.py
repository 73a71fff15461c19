"""Owns the ways to change bytes into others that are worth trying.

Must not know what the bytes mean, beyond where HTTP/2's frames begin and end.
"""

import random
from collections.abc import Sequence

from support.frames import PREFACE


def changed(rng: random.Random, data: bytes, tokens: Sequence[bytes], others: Sequence[bytes], most: int = 3) -> bytes:
    """`data` with up to `most` things done to it; `tokens` and parts of `others` are put in."""
    made = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 1, 2, most])):
        change(rng, made, tokens, others)
    return bytes(made)


def change(rng: random.Random, data: bytearray, tokens: Sequence[bytes], others: Sequence[bytes]) -> None:
    """Does one thing."""
    at, act = rng.randrange(len(data) + 1), rng.randrange(8)
    if act == 0:
        data[at:at] = rng.choice(tokens)
    elif act == 1:
        data[at : at + 1] = rng.choice(tokens)
    elif act == 2:
        data[at:at] = rng.randbytes(rng.randrange(1, 5))
    elif act == 3:
        del data[at : at + rng.choice([1, 1, 2, 8, 100, len(data)])]
    elif act == 4:
        data[at : at + 1] = bytes([rng.randrange(256)])
    elif act == 5 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif act == 6:
        other = rng.choice(others)
        begin = rng.randrange(len(other) + 1)
        data[at:at] = other[begin : begin + rng.choice([5, 30, len(other)])]
    else:
        data += rng.choice(others)


def frames_of(stream: bytes) -> list[bytes]:
    """The HTTP/2 frames of one direction of a connection, a client's preface first; what is left over comes last."""
    found = [PREFACE] if stream.startswith(PREFACE) else []
    at = len(b"".join(found))
    while at < len(stream):
        size = 9 + int.from_bytes(stream[at : at + 3], "big")
        found.append(stream[at : at + size])
        at += size
    return found


def shuffled(rng: random.Random, stream: bytes, other: bytes) -> bytes:
    """A stream of frames with whole frames lost, doubled, swapped, put on other streams, or taken from `other`."""
    frames, spare = frames_of(stream), frames_of(other)
    for _ in range(rng.choice([0, 0, 1, 2, 5])):
        if not frames:
            break
        at, act = rng.randrange(len(frames)), rng.randrange(6)
        if act == 0:
            del frames[at]
        elif act == 1:
            frames[at:at] = [frames[at]] * rng.choice([1, 1, 3, 50])
        elif act == 2:
            frames.append(frames.pop(at))
        elif act == 3 and spare:
            frames.insert(at, rng.choice(spare))
        elif act == 4:
            frames[at] = frames[at][:5] + rng.choice([0, 1, 3, 5, 2, 2**31 - 1]).to_bytes(4, "big") + frames[at][9:]
        else:
            frames[at] = frames[at][:4] + bytes([rng.choice([0, 1, 4, 5, 8, 0x0D, 0x25, 0xFF])]) + frames[at][5:]
    return b"".join(frames)
