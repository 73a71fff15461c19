# Owns scalars and arrays of numbers in JSON, read as proto3's JSON mapping says. No GIL.
# Must not know any message type, nor the structure around a field.
# Functions that return int return 0, or -1 with the reader's failure filled in.

from libc.stdint cimport uint64_t

from executor._native.descriptor cimport choice_t
from executor._native.json cimport grid_t, json_t, string_t
from executor._native.sink cimport sink_t

# Reports the string `name`, which `format` shows by %.*s, at its place. Returns -1.
cdef int fail_name(json_t *json, const string_t *name, const char *format) noexcept nogil

# Numbers may stand in quotes, and reals may be "NaN", "Infinity" or "-Infinity". `kind` is KIND_*.
cdef int read_real(json_t *json, double *value) noexcept nogil
cdef int check_float(json_t *json, const unsigned char *at, double value) noexcept nogil
# `value` gets the 64 bits of the integer.
cdef int read_integer(json_t *json, int kind, uint64_t *value) noexcept nogil
cdef int read_choice(json_t *json, const choice_t *choices, uint64_t *value) noexcept nogil
cdef int read_bool(json_t *json, uint64_t *value) noexcept nogil

# Decodes base64, standard or url-safe, padded or not; room: string.size. -1 when it is not base64.
cdef Py_ssize_t base64_read(json_t *json, const string_t *string, unsigned char *to) noexcept nogil

# Empties the scratch grid, beginning it when needed.
cdef int use_grid(json_t *json, grid_t *grid) noexcept nogil
# Adds the doubles of an array to the grid, up to its closing bracket; the opening one was read.
cdef int read_reals(json_t *json, grid_t *grid) noexcept nogil
# Writes the array of doubles or floats that begins here as packed field `number`.
cdef int put_reals(json_t *json, grid_t *grid, sink_t *sink, int number, int kind) noexcept nogil
# Writes a grid as the content of a ListValue, below which `depth` more messages may be nested.
cdef int put_grid(json_t *json, grid_t *grid, sink_t *sink, int depth) noexcept nogil
