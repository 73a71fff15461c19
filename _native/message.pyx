"""Owns messages: a payload on the wire as an encoding and a gather list of byte spans.

Must not know what the bytes mean. A message is never copied to be edited: a changed one is a new gather
list over the old buffers and a few new bytes.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from executor._native.buffer cimport (
    buffer_borrow, buffer_copy, buffer_new, buffer_of_bytes, buffer_ref, buffer_t, buffer_unref, counter_get,
    memory_lend,
)
from executor._native.copies cimport COPY_BYTES, COPY_INFLATED, copies_add
from executor._native.types cimport ENCODING_COUNT, FORM_FOREIGN

cdef const unsigned char *NOTHING = b""


cdef message_t *message_new(int encoding, int form) noexcept nogil:
    cdef message_t *message = <message_t *>malloc(sizeof(message_t))
    if message == NULL:
        return NULL
    message.refs = 1
    message.encoding = encoding
    message.form = form
    message.count = 0
    message.capacity = INLINE_SPANS
    message.size = 0
    message.kind = NULL
    message.spans = message.inline_spans
    return message


cdef message_t *message_of(int encoding, int form, buffer_t *buffer) noexcept nogil:
    cdef message_t *message = message_new(encoding, form)
    if message != NULL and buffer.size > 0:
        message.spans[0].buffer = buffer
        message.spans[0].data = buffer.data
        message.spans[0].size = buffer.size
        message.count = 1
        message.size = buffer.size
    else:
        buffer_unref(buffer)
    return message


cdef void message_free(message_t *message) noexcept nogil:
    cdef int index
    for index in range(message.count):
        buffer_unref(message.spans[index].buffer)
    if message.spans != message.inline_spans:
        free(message.spans)
    buffer_unref(message.kind)
    free(message)


cdef int grow(message_t *message) noexcept nogil:
    cdef int capacity = message.capacity * 2
    cdef span_t *spans
    if message.spans == message.inline_spans:
        spans = <span_t *>malloc(capacity * sizeof(span_t))
        if spans == NULL:
            return -1
        memcpy(spans, message.inline_spans, message.count * sizeof(span_t))
    else:
        spans = <span_t *>realloc(message.spans, capacity * sizeof(span_t))
        if spans == NULL:
            return -1
    message.spans = spans
    message.capacity = capacity
    return 0


cdef int message_add(message_t *message, buffer_t *buffer, const unsigned char *data, size_t size) noexcept nogil:
    cdef span_t *span
    if size == 0:
        return 0
    if message.count == message.capacity and grow(message) < 0:
        return -1
    span = &message.spans[message.count]
    span.buffer = buffer_ref(buffer)
    span.data = data
    span.size = size
    message.count += 1
    message.size += size
    return 0


cdef int message_add_copy(message_t *message, const void *data, size_t size) noexcept nogil:
    cdef buffer_t *buffer
    cdef int result
    if size == 0:
        return 0
    buffer = buffer_copy(data, size)
    if buffer == NULL:
        return -1
    result = message_add(message, buffer, buffer.data, size)
    buffer_unref(buffer)
    return result


cdef int message_add_part(message_t *message, const message_t *source, size_t start, size_t size) noexcept nogil:
    cdef int index
    cdef size_t take
    cdef const span_t *span
    for index in range(source.count):
        span = &source.spans[index]
        if size == 0:
            return 0
        if start >= span.size:
            start -= span.size
            continue
        take = span.size - start
        if take > size:
            take = size
        if message_add(message, span.buffer, span.data + start, take) < 0:
            return -1
        start = 0
        size -= take
    return 0 if size == 0 else -1


cdef const unsigned char *message_flat(message_t *message) noexcept nogil:
    cdef buffer_t *whole
    cdef int index
    if message.count == 0:
        return NOTHING
    if message.count > 1:
        whole = buffer_new(message.size)
        if whole == NULL:
            return NULL
        for index in range(message.count):
            memcpy(whole.data + whole.size, message.spans[index].data, message.spans[index].size)
            whole.size += message.spans[index].size
            buffer_unref(message.spans[index].buffer)
        message.spans[0].buffer = whole
        message.spans[0].data = whole.data
        message.spans[0].size = whole.size
        message.count = 1
    return message.spans[0].data


cdef void message_describe(message_t *message, const message_t *source) noexcept nogil:
    if source.kind != NULL:
        message.kind = buffer_ref(source.kind)


cdef bint message_is_sole(const message_t *message) noexcept nogil:
    return (
        counter_get(<long *>&message.refs) == 1
        and message.count == 1
        and message.spans[0].buffer.owner == NULL
        and counter_get(&message.spans[0].buffer.refs) == 1
    )


cdef Message message_wrap(message_t *raw):
    cdef Message message
    if raw == NULL:
        raise MemoryError()
    message = Message.__new__(Message)
    message_unref(message.raw)
    message.raw = raw
    return message


cdef buffer_t *buffer_of_object(object data) except NULL:
    cdef Py_buffer view
    cdef buffer_t *buffer
    if type(data) is bytes:
        return buffer_of_bytes(data)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        # A writable source may change under us, so its bytes are copied.
        if view.readonly:
            buffer = buffer_borrow(data, view.buf, view.len)
        else:
            buffer = buffer_copy(view.buf, view.len)
            if buffer == NULL:
                raise MemoryError()
    finally:
        PyBuffer_Release(&view)
    return buffer


cdef class Message:
    """A payload on the wire: `Message(data, encoding=0, form=0, kind=None)` over bytes or any contiguous buffer.

    `encoding` is one of `executor.types.Encoding`, `form` one of `executor.types.Form`, `kind` an HTTP Content-Type
    where the encoding does not say it all. Bytes and read-only buffers are kept by reference, writable ones copied.
    Raises ValueError for a number that is neither.
    """

    def __cinit__(self, data=None, int encoding=0, int form=0, str kind=None):
        cdef buffer_t *buffer
        if encoding < 0 or encoding >= ENCODING_COUNT:
            raise ValueError(f"encoding {encoding}: allowed are 0 to {ENCODING_COUNT - 1}")
        if form < 0 or form > FORM_FOREIGN:
            raise ValueError(f"form {form}: allowed are 0 to {FORM_FOREIGN}")
        if data is None:
            self.raw = message_new(encoding, form)
            if self.raw == NULL:
                raise MemoryError()
            return
        buffer = buffer_of_object(data)
        self.raw = message_of(encoding, form, buffer)
        if self.raw == NULL:
            raise MemoryError()
        if kind is not None:
            self.raw.kind = buffer_of_bytes(kind.encode("latin-1", "replace"))

    def __dealloc__(self):
        message_unref(self.raw)
        free(self.copies)

    @property
    def encoding(self):
        return self.raw.encoding

    @property
    def form(self):
        return self.raw.form

    @property
    def kind(self):
        """The Content-Type that its sender gave it; None where the encoding says it."""
        if self.raw.kind == NULL:
            return None
        return PyUnicode_DecodeLatin1(<const char *>self.raw.kind.data, self.raw.kind.size, NULL)

    @property
    def spans(self):
        """Number of spans in the gather list."""
        return self.raw.count

    def __len__(self):
        return self.raw.size

    def __bytes__(self):
        cdef bytes whole = PyBytes_FromStringAndSize(NULL, self.raw.size)
        cdef char *target = PyBytes_AS_STRING(whole)
        cdef int index
        for index in range(self.raw.count):
            memcpy(target, self.raw.spans[index].data, self.raw.spans[index].size)
            target += self.raw.spans[index].size
        copies_add(&self.copies, COPY_BYTES, self.raw.size)
        return whole

    def inflated(self):
        """Says that its bytes came compressed."""
        copies_add(&self.copies, COPY_INFLATED, self.raw.size)
        return self

    def parts(self):
        """The spans as a list of read-only buffers, without copying."""
        cdef int index
        cdef list parts = []
        for index in range(self.raw.count):
            parts.append(
                memory_lend(self.raw.spans[index].buffer, self.raw.spans[index].data, self.raw.spans[index].size, False)
            )
        return parts

    def __repr__(self):
        return f"<Message encoding={self.raw.encoding} form={self.raw.form} {self.raw.size} bytes in {self.raw.count}>"
