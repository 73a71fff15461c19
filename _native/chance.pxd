# Owns randomness that need not be secret: picks between children, and request ids.
# Must not be used for keys or tokens.

ctypedef struct chance_t:
    unsigned long long[4] state

# Seeds from the kernel. 0, or -1 when it gives no randomness.
cdef int chance_seed(chance_t *chance) noexcept nogil
# 64 random bits.
cdef unsigned long long chance_bits(chance_t *chance) noexcept nogil
# Uniform over [0, 1), 53 bits.
cdef double chance_next(chance_t *chance) noexcept nogil
# Writes a random UUID (version 4, RFC 9562) of 36 characters.
cdef void chance_uuid(chance_t *chance, char *out) noexcept nogil
