"""Owns randomness that need not be secret: picks between children, and request ids.

Must not be used for keys or tokens. The generator is xoshiro256** (Blackman and Vigna), seeded by the kernel.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize

cdef extern from "sys/random.h" nogil:
    ssize_t getrandom(void *data, size_t size, unsigned int flags)

cdef const char *DIGITS = b"0123456789abcdef"


cdef inline unsigned long long rotate(unsigned long long x, int k) noexcept nogil:
    return (x << k) | (x >> (64 - k))


cdef unsigned long long chance_bits(chance_t *chance) noexcept nogil:
    cdef unsigned long long *s = chance.state
    cdef unsigned long long result = rotate(s[1] * 5, 7) * 9
    cdef unsigned long long t = s[1] << 17
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotate(s[3], 45)
    return result


cdef int chance_seed(chance_t *chance) noexcept nogil:
    return 0 if getrandom(chance.state, sizeof(chance.state), 0) == sizeof(chance.state) else -1


cdef double chance_next(chance_t *chance) noexcept nogil:
    return (chance_bits(chance) >> 11) * 1.1102230246251565e-16     # 2^-53


cdef void chance_uuid(chance_t *chance, char *out) noexcept nogil:
    cdef unsigned long long[2] drawn
    cdef unsigned char *raw = <unsigned char *>drawn
    cdef int index
    drawn[0] = chance_bits(chance)
    drawn[1] = chance_bits(chance)
    raw[6] = (raw[6] & 0x0F) | 0x40      # version 4
    raw[8] = (raw[8] & 0x3F) | 0x80      # the variant of RFC 9562
    for index in range(16):
        if index == 4 or index == 6 or index == 8 or index == 10:
            out[0] = c'-'
            out += 1
        out[0] = DIGITS[raw[index] >> 4]
        out[1] = DIGITS[raw[index] & 15]
        out += 2


cdef class Chance:
    """A generator of its own, seeded by the kernel. `Chance((a, b, c, d))` starts from that state instead."""

    cdef chance_t raw

    def __cinit__(self, state=None):
        if state is not None:
            if len(state) != 4:
                raise ValueError(f"a state has 4 numbers, not {len(state)}")
            self.raw.state = state
        elif chance_seed(&self.raw) < 0:
            raise OSError("no randomness from the kernel")

    def next(self):
        """A float of [0, 1)."""
        return chance_next(&self.raw)

    def uuid(self):
        """A random UUID (version 4) as text."""
        cdef char[36] text
        chance_uuid(&self.raw, text)
        return PyBytes_FromStringAndSize(text, sizeof(text)).decode()
