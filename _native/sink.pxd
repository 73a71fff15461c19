# Owns the writer of protobuf in reading order, for text that is turned into a message as it is read.
# Must not know any message type. Small fields are written into one buffer, where a length is put in once its content
# is there; large ones stay in buffers of their own, which the message then refers to.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

from executor._native.buffer cimport buffer_ref, buffer_t, buffer_unref
from executor._native.message cimport message_add, message_new, message_t, message_unref
from executor._native.text cimport text_begin, text_drop, text_raw, text_room, text_t
from executor._native.wire cimport WIRE_BYTES, wire_put_header, wire_put_tag, wire_put_varint, wire_varint_size

cdef enum:
    SINK_CHUNK = 4096        # content from this size on is not copied

ctypedef struct chunk_t:
    size_t position          # in the text: where these bytes belong
    size_t size
    buffer_t *buffer

ctypedef struct sink_t:
    text_t text
    chunk_t *chunks
    int count
    int capacity
    size_t chunked           # bytes over all chunks

# An open field: where its content begins.
ctypedef struct mark_t:
    size_t position
    size_t chunked

# Always pair with sink_drop.
cdef inline void sink_begin(sink_t *sink, size_t capacity) noexcept nogil:
    text_begin(&sink.text, capacity)
    sink.chunks = NULL
    sink.count = 0
    sink.capacity = 0
    sink.chunked = 0

cdef inline void sink_drop(sink_t *sink) noexcept nogil:
    cdef int index
    text_drop(&sink.text)
    for index in range(sink.count):
        buffer_unref(sink.chunks[index].buffer)
    free(sink.chunks)

cdef inline void sink_varint(sink_t *sink, uint64_t value) noexcept nogil:
    cdef unsigned char *to = text_room(&sink.text, 10)
    if to != NULL:
        sink.text.buffer.size += wire_put_varint(to, value) - to

cdef inline void sink_tag(sink_t *sink, uint32_t number, int type) noexcept nogil:
    sink_varint(sink, (<uint64_t>number << 3) | <uint64_t>type)

cdef inline void sink_header(sink_t *sink, uint32_t number, size_t size) noexcept nogil:
    sink_tag(sink, number, WIRE_BYTES)
    sink_varint(sink, size)

# Begins a length-delimited field whose size is not known yet.
cdef inline mark_t sink_open(sink_t *sink, uint32_t number) noexcept nogil:
    cdef mark_t mark
    sink_tag(sink, number, WIRE_BYTES)
    sink_varint(sink, 0)
    mark.position = 0 if sink.text.failed else sink.text.buffer.size
    mark.chunked = sink.chunked
    return mark

# Ends it: the one byte kept for the length is made as wide as it must be.
cdef inline void sink_close(sink_t *sink, mark_t mark) noexcept nogil:
    cdef size_t inline_size
    cdef size_t size
    cdef size_t wider
    cdef unsigned char *at
    cdef int index = sink.count
    if sink.text.failed:
        return
    inline_size = sink.text.buffer.size - mark.position
    size = inline_size + sink.chunked - mark.chunked
    wider = wire_varint_size(size) - 1
    if wider > 0:
        if text_room(&sink.text, wider) == NULL:
            return
        at = sink.text.buffer.data + mark.position
        memmove(at + wider, at, inline_size)
        sink.text.buffer.size += wider
        while index > 0 and sink.chunks[index - 1].position >= mark.position:
            index -= 1
            sink.chunks[index].position += wider
    wire_put_varint(sink.text.buffer.data + mark.position - 1, size)

# Adds `size` bytes of `buffer`, by reference when there are many.
cdef inline void sink_buffer(sink_t *sink, buffer_t *buffer, size_t size) noexcept nogil:
    cdef chunk_t *chunks = sink.chunks
    if size < SINK_CHUNK or sink.text.failed:
        text_raw(&sink.text, buffer.data, size)
        return
    if sink.count == sink.capacity:
        chunks = <chunk_t *>realloc(sink.chunks, (2 * sink.capacity + 4) * sizeof(chunk_t))
        if chunks == NULL:
            sink.text.failed = True
            return
        sink.chunks = chunks
        sink.capacity = 2 * sink.capacity + 4
    chunks[sink.count].position = sink.text.buffer.size
    chunks[sink.count].size = size
    chunks[sink.count].buffer = buffer_ref(buffer)
    sink.count += 1
    sink.chunked += size

# What was written, as a message; NULL when memory is out. The sink is still to be dropped.
cdef inline message_t *sink_message(sink_t *sink, int encoding, int form) noexcept nogil:
    cdef message_t *message = NULL if sink.text.failed else message_new(encoding, form)
    cdef buffer_t *text = sink.text.buffer
    cdef chunk_t *chunk
    cdef size_t begin = 0
    cdef int failed = 0
    cdef int index
    if message == NULL:
        return NULL
    for index in range(sink.count):
        failed |= message_add(message, text, text.data + begin, sink.chunks[index].position - begin)
        chunk = &sink.chunks[index]
        failed |= message_add(message, chunk.buffer, chunk.buffer.data, chunk.size)
        begin = chunk.position
    failed |= message_add(message, text, text.data + begin, text.size - begin)
    if failed != 0:
        message_unref(message)
        return NULL
    return message
