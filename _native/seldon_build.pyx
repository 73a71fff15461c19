"""Owns building seldon.protos messages from Python values: header and payload in one buffer, one copy.

Must not know how a message is sent. Messages are written back to front, so that a tensor's values end the
buffer and lie aligned. Large bytes are not copied: they stay where they are, as a span of their own.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from executor._native.buffer cimport buffer_of_bytes, buffer_t, buffer_unref
from executor._native.cursor cimport CURSOR_DEPTH, raise_failure
from executor._native.message cimport Message, message_add, message_t, message_wrap
from executor._native.seldon_envelope cimport (
    DATA_NAMES, DATA_NDARRAY, DATA_TENSOR, DATA_TFTENSOR, MESSAGE_BIN, MESSAGE_CUSTOM, MESSAGE_DATA, MESSAGE_JSON,
    MESSAGE_META, MESSAGE_STATUS, MESSAGE_STR, TENSOR_SHAPE, TENSOR_VALUES, seldon_make_feedback,
)
from executor._native.seldon_meta cimport write_meta, write_status
from executor._native.seldon_tftensor cimport write_tftensor
from executor._native.seldon_value cimport write_list, write_rows, write_text, write_value
from executor._native.tensor cimport array_from, write_doubles
from executor._native.types cimport ENCODING_SELDON_PROTO, FORM_MESSAGE, failure_clear, failure_t
from executor._native.wire cimport WIRE_BYTES
from executor._native.writer cimport (
    writer_begin, writer_bytes, writer_close, writer_drop, writer_message, writer_size, writer_t, writer_tag,
    writer_varint,
)

from executor import errors

cdef enum:
    SMALL = 240                  # room for names, meta and headers in the first buffer
    LENT_BYTES = 16 << 10        # bytes objects from this size on are sent by reference

cdef tuple KINDS = ("tensor", "ndarray", "tftensor", "binData", "strData", "jsonData", "customData", "")


cdef object to_array(object value, str kind):
    try:
        return array_from(value)
    except (ValueError, TypeError, BufferError) as error:
        raise errors.EncodeError(f"{kind}: the value is no array: {error}") from None


# --- payloads: each writes its whole field of SeldonMessage or DefaultData ---

cdef int write_tensor(writer_t *writer, object array) except -1:
    cdef Py_ssize_t size
    cdef size_t mark
    if array.dtype.kind == "O":
        # Numbers kept as objects; anything else stays an object and is refused.
        array = to_array(array.tolist(), "tensor")
    write_doubles(writer, array)
    if writer_size(writer) > 0:
        writer_close(writer, TENSOR_VALUES, 0)
    if array.ndim > 0:
        mark = writer_size(writer)
        for size in reversed(<tuple>array.shape):
            if size > 0x7FFFFFFF:
                raise errors.EncodeError(f"tensor: a dimension of {size} does not fit in 32 bits")
            writer_varint(writer, size)
        writer_close(writer, TENSOR_SHAPE, mark)
    writer_close(writer, DATA_TENSOR, 0)
    return 0


cdef int write_ndarray(writer_t *writer, object value) except -1:
    if not isinstance(value, (list, tuple)):
        if value.ndim == 0:
            raise errors.EncodeError("ndarray: a single value is no list; at least one dimension is needed")
        if value.dtype.kind in "fiu":
            write_rows(writer, value)
            writer_close(writer, DATA_NDARRAY, 0)
            return 0
        value = value.tolist()
    write_list(writer, value, CURSOR_DEPTH - 2)
    writer_close(writer, DATA_NDARRAY, 0)
    return 0


cdef int write_names(writer_t *writer, object names) except -1:
    if isinstance(names, str):
        raise errors.EncodeError("names: a str given, a list of str is needed")
    for name in reversed(names if isinstance(names, (list, tuple)) else list(names)):
        write_text(writer, DATA_NAMES, name, "names")
    return 0


cdef int write_data(writer_t *writer, str kind, object value, object names) except -1:
    if kind == "tensor":
        write_tensor(writer, value)
    elif kind == "ndarray":
        write_ndarray(writer, value)
    else:
        write_tftensor(writer, value)
        writer_close(writer, DATA_TFTENSOR, 0)
    if names is not None and len(names) > 0:
        write_names(writer, names)
    writer_close(writer, MESSAGE_DATA, 0)
    return 0


# binData. Large bytes objects stay out of the buffer: `lent` then holds them, and only the header is written.
cdef int write_bin(writer_t *writer, object value, buffer_t **lent) except -1:
    cdef Py_buffer view
    if type(value) is bytes and len(<bytes>value) >= LENT_BYTES:
        lent[0] = buffer_of_bytes(value)
        writer_varint(writer, lent[0].size)
        writer_tag(writer, MESSAGE_BIN, WIRE_BYTES)
        return 0
    try:
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
    except (TypeError, ValueError, BufferError):
        raise errors.EncodeError(f"binData: {type(value).__name__} given, contiguous bytes are needed") from None
    writer_bytes(writer, MESSAGE_BIN, view.buf, view.len)
    PyBuffer_Release(&view)
    return 0


# customData: (type_url, value), or anything with these two attributes, as a google.protobuf.Any has.
cdef int write_custom(writer_t *writer, object value) except -1:
    if isinstance(value, tuple) and len(value) == 2:
        url, content = value
    else:
        url, content = getattr(value, "type_url", None), getattr(value, "value", None)
    if not isinstance(content, bytes):
        raise errors.EncodeError("customData: a pair of type_url and bytes, or an Any, is needed")
    if content:
        writer_bytes(writer, 2, <const char *>content, len(<bytes>content))
    write_text(writer, 1, url, "customData's type_url")
    writer_close(writer, MESSAGE_CUSTOM, 0)
    return 0


cdef int write_body(writer_t *writer, str kind, object value, object names, buffer_t **lent) except -1:
    if kind in ("tensor", "ndarray", "tftensor"):
        return write_data(writer, kind, value, names)
    if kind == "binData":
        return write_bin(writer, value, lent)
    if kind == "strData":
        return write_text(writer, MESSAGE_STR, value, "strData")
    if kind == "jsonData":
        write_value(writer, value, CURSOR_DEPTH - 1)
        writer_close(writer, MESSAGE_JSON, 0)
        return 0
    if kind == "customData":
        return write_custom(writer, value)
    if kind == "":
        return 0
    raise errors.EncodeError(f"kind {kind!r} does not exist; allowed are {', '.join(KINDS)}")


cdef int write_message(
    writer_t *writer, str kind, object value, object names, object meta, object status, buffer_t **lent
) except -1:
    cdef size_t mark
    write_body(writer, kind, value, names, lent)
    if meta is not None:
        mark = writer_size(writer)
        write_meta(writer, meta, CURSOR_DEPTH - 1)
        writer_close(writer, MESSAGE_META, mark)
    if status is not None:
        mark = writer_size(writer)
        write_status(writer, status)
        writer_close(writer, MESSAGE_STATUS, mark)
    return 0


# The value as it will be written, and the bytes that will take at least.
cdef object prepared(str kind, object value, size_t *room):
    room[0] = SMALL
    if kind == "tensor":
        value = to_array(value, kind)
        room[0] += value.size * 8
    elif kind == "ndarray":
        if not isinstance(value, (list, tuple)):
            value = to_array(value, kind)
            room[0] += value.size * 12
    elif kind == "tftensor":
        value = to_array(value, kind)
        room[0] += value.nbytes
    return value


def build(str kind not None, value=None, names=(), meta=None, status=None):
    """A SeldonMessage of `kind`: tensor, ndarray, tftensor, binData, strData, jsonData, customData, "" for none.

    `names` go with the first three kinds; `meta` and `status` are dicts in their JSON form. Raises EncodeError
    for what the message cannot hold. Bytes objects of 16 KiB and more are sent by reference.
    """
    cdef buffer_t *lent = NULL
    cdef writer_t writer
    cdef size_t room
    cdef message_t *raw
    cdef Message message
    value = prepared(kind, value, &room)
    writer_begin(&writer, room)
    try:
        write_message(&writer, kind, value, names, meta, status, &lent)
    except BaseException:
        writer_drop(&writer)
        buffer_unref(lent)
        raise
    raw = writer_message(&writer, ENCODING_SELDON_PROTO, FORM_MESSAGE)
    try:
        message = message_wrap(raw)
        if lent != NULL and message_add(raw, lent, lent.data, lent.size) < 0:
            raise MemoryError()
    finally:
        buffer_unref(lent)
    return message


def build_feedback(Message request, Message response, double reward, Message truth):
    """A Feedback of messages (or None) and a reward, by reference."""
    cdef failure_t failure
    cdef message_t *raw
    failure_clear(&failure)
    raw = seldon_make_feedback(
        NULL if request is None else request.raw, NULL if response is None else response.raw, <float>reward,
        NULL if truth is None else truth.raw, &failure,
    )
    if raw == NULL:
        raise_failure(&failure)
    return message_wrap(raw)
