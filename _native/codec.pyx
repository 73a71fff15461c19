"""Owns the table of codecs: one set of functions per encoding.

Must not know any protocol. A codec's module registers itself when it is imported.
"""

from executor._native.types cimport ENCODING_COUNT

cdef const codec_t *table[ENCODING_COUNT]


cdef int codec_register(const codec_t *codec) except -1:
    if codec.encoding < 0 or codec.encoding >= ENCODING_COUNT:
        raise ValueError(f"encoding {codec.encoding}: allowed are 0 to {ENCODING_COUNT - 1}")
    table[codec.encoding] = codec
    return 0


cdef const codec_t *codec_of(int encoding) noexcept nogil:
    return table[encoding]


def registered():
    """The encodings that have a codec."""
    return [encoding for encoding in range(ENCODING_COUNT) if table[encoding] != NULL]
