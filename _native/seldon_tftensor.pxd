# Owns tensorflow.TensorProto: to and from arrays. Needs the GIL unless marked.
# Must not know the messages that hold it.

from executor._native.buffer cimport buffer_t
from executor._native.copies cimport copies_t
from executor._native.cursor cimport cursor_t
from executor._native.types cimport failure_t
from executor._native.writer cimport writer_t

# The first int_val; -1 with `failure` filled in when there is none. Without the GIL.
cdef int tftensor_first_int(cursor_t cursor, long long *number, failure_t *failure) noexcept nogil
# The tensor as an array: over the bytes in `buffer` where they allow it and `sole` is true, else copied, which
# is remembered in `copies`.
cdef object tftensor_array(cursor_t cursor, buffer_t *buffer, bint sole, copies_t **copies)
# Writes `array` as the content of a TensorProto, back to front.
cdef int write_tftensor(writer_t *writer, object array) except -1
