"""There is a codec for each encoding, and each has the face that components use."""

import numpy
import pytest

from executor.component.codecs import ARRAYS, CODECS
from executor.types import Encoding

ENCODINGS = [each for each in Encoding if each is not Encoding.ANY]


def test_every_encoding_has_a_codec() -> None:
    assert set(CODECS) == set(ENCODINGS)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_codec_reads_what_it_builds(encoding: Encoding) -> None:
    codec = CODECS[encoding]
    for kind in sorted(ARRAYS):
        message = codec.build(kind, numpy.ones((1, 2)), ["a", "b"])
        parts = codec.open(message)
        assert (message.encoding, parts.kind, list(parts.names), parts.has_meta) == (encoding, kind, ["a", "b"], False)
        assert parts.array().shape == (1, 2)
