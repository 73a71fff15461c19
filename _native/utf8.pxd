# Owns two looks at UTF-8 text: where plain characters end, and whether a sequence is well formed.
# Must not know what the text is for.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* The first byte that is a quote, a backslash, a control character or not ASCII; eight at a time. */
    static inline const unsigned char *plain_end(const unsigned char *at, const unsigned char *end) {
        const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
        while (end - at >= 8) {
            uint64_t eight, quote, slash, found;
            memcpy(&eight, at, 8);
            quote = eight ^ (ones * '"');
            slash = eight ^ (ones * '\\\\');
            found = ((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | eight;
            found &= tops;
            if (found) return at + (__builtin_ctzll(found) >> 3);
            at += 8;
        }
        while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\\\') at++;
        return at;
    }
    /* Length of the UTF-8 sequence of two to four bytes that begins at `at`; 0 when it is none. */
    static inline int utf8_size(const unsigned char *at, const unsigned char *end) {
        int size = at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0, i;
        if (size == 0 || end - at < size) return 0;
        for (i = 1; i < size; i++) if ((at[i] & 0xC0) != 0x80) return 0;
        if (at[0] == 0xE0 && at[1] < 0xA0) return 0;
        if (at[0] == 0xED && at[1] > 0x9F) return 0;
        if (at[0] == 0xF0 && at[1] < 0x90) return 0;
        if (at[0] == 0xF4 && at[1] > 0x8F) return 0;
        return size;
    }
    """
    const unsigned char *plain_end(const unsigned char *at, const unsigned char *end) noexcept nogil
    int utf8_size(const unsigned char *at, const unsigned char *end) noexcept nogil
