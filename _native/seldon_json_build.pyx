"""Owns building seldon.protos messages as JSON text from Python values; numbers are written natively.

Must not know how a message is sent. Integers stay integers; every float is written with the shortest text that
reads back as the same double; NaN and Infinity go bare, and members come in the order of their names: so Seldon's
wrapper writes them, and its clients read them.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t

from executor._native.buffer cimport buffer_t
from executor._native.cursor cimport raise_failure
from executor._native.json cimport ITEM_DOUBLE, ITEM_INT64, ITEM_UINT64, JSON_DIMS
from executor._native.json_envelope cimport text_make_feedback
from executor._native.json_of_proto cimport json_of_proto
from executor._native.message cimport Message, message_of, message_t, message_wrap
from executor._native.tensor cimport array_from
from executor._native.text cimport (
    ODD_BARE, text_base64, text_begin, text_byte, text_drop, text_grid, text_integer, text_raw, text_string,
    text_t, text_word,
)
from executor._native.types cimport ENCODING_SELDON_JSON, FORM_MESSAGE, failure_clear, failure_t

import dataclasses
import datetime
import decimal
import json
import math
import uuid

import numpy

from executor import errors
from executor._native import seldon

cdef tuple DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
cdef tuple MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
cdef tuple KINDS = ("tensor", "ndarray", "tftensor", "binData", "strData", "jsonData", "customData", "")


# --- small values, through Python's json ---

cdef bint sorting = True


def sort_members(bint wanted):
    """Whether members of Python's dicts are written in the order of their names, in all of this process."""
    global sorting
    sorting = wanted


def plain(value):
    """What stands for a value that Python's json does not know. Raises TypeError when nothing does."""
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return value.tolist()
    if isinstance(value, datetime.date):
        return dated(value)
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"{type(value).__name__} has no JSON form")


# As HTTP's headers have dates, which is how Flask writes them. Without a zone they are taken for UTC.
cdef str dated(object date):
    cdef object time = date
    if not isinstance(date, datetime.datetime):
        time = datetime.datetime(date.year, date.month, date.day)
    if time.tzinfo is not None:
        time = time.astimezone(datetime.timezone.utc)
    return (
        f"{DAYS[time.weekday()]}, {time.day:02d} {MONTHS[time.month - 1]} {time.year:04d}"
        f" {time.hour:02d}:{time.minute:02d}:{time.second:02d} GMT"
    )


def dumped(value):
    """The JSON text of a value of Python's, as a str. Raises TypeError or ValueError."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain, sort_keys=sorting)
    except TypeError:  # names that cannot be ordered, such as 1 beside "a"
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)


cdef int write_plain(text_t *text, object value, str what) except -1:
    try:
        encoded = dumped(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.EncodeError(f"{what}: {error}") from None
    text_raw(text, PyBytes_AS_STRING(encoded), len(<bytes>encoded))
    return 0


cdef int write_text(text_t *text, object value, str what) except -1:
    cdef const char *data
    cdef Py_ssize_t size
    if not isinstance(value, str):
        raise errors.EncodeError(f"{what}: {type(value).__name__} given, str is needed")
    try:
        data = PyUnicode_AsUTF8AndSize(value, &size)
    except UnicodeEncodeError as error:
        raise errors.EncodeError(f"{what}: no valid text: {error}") from None
    text_string(text, <const unsigned char *>data, size)
    return 0


# --- arrays ---

cdef object to_array(object value, str kind):
    try:
        return array_from(value)
    except (ValueError, TypeError, BufferError) as error:
        raise errors.EncodeError(f"{kind}: the value is no array: {error}") from None


# The array as C-contiguous int64, uint64 or float64; sets which.
cdef object numbers_of(object array, int *item):
    cdef str kind = array.dtype.kind
    if kind == "f":
        item[0] = ITEM_DOUBLE
        return numpy.ascontiguousarray(array, dtype="float64")
    item[0] = ITEM_UINT64 if kind == "u" else ITEM_INT64
    return numpy.ascontiguousarray(array, dtype="uint64" if kind == "u" else "int64")


cdef int write_grid(text_t *text, object array, bint flat) except -1:
    cdef int64_t[32] dims
    cdef int item
    cdef int ndim = array.ndim
    cdef int level
    cdef Py_buffer view
    cdef tuple shape = array.shape
    numbers = numbers_of(array, &item)
    for level in range(ndim):
        dims[level] = shape[level]
    if flat:
        dims[0] = numbers.size
        ndim = 1
    PyObject_GetBuffer(numbers, &view, PyBUF_SIMPLE)
    with nogil:
        text_grid(text, view.buf, dims, ndim, item, ODD_BARE)
    PyBuffer_Release(&view)
    return 0


cdef int check_dims(object array, str kind) except -1:
    if array.ndim > JSON_DIMS:
        raise errors.EncodeError(f"{kind}: {array.ndim} dimensions given, at most {JSON_DIMS} are allowed")
    return 0


cdef int write_tensor(text_t *text, object value) except -1:
    cdef Py_ssize_t size
    cdef bint any = False
    array = to_array(value, "tensor")
    check_dims(array, "tensor")
    if array.dtype.kind not in "fiu":
        if array.dtype.kind not in "bO":
            raise errors.EncodeError(f"a tensor holds real numbers; an array of dtype {array.dtype} does not fit")
        try:
            array = array.astype("float64")
        except (TypeError, ValueError) as error:
            raise errors.EncodeError(f"tensor: the value holds what is no number: {error}") from None
    text_word(text, b'"tensor":{"shape":[')
    for size in <tuple>array.shape:
        if size > 0x7FFFFFFF:
            raise errors.EncodeError(f"tensor: a dimension of {size} does not fit in 32 bits")
        if any:
            text_byte(text, c',')
        any = True
        text_integer(text, size)
    text_word(text, b'],"values":')
    write_grid(text, array, True)
    text_byte(text, c'}')
    return 0


cdef int write_ndarray(text_t *text, object value) except -1:
    text_word(text, b'"ndarray":')
    if isinstance(value, (list, tuple)):
        return write_plain(text, value, "ndarray")
    array = to_array(value, "ndarray")
    check_dims(array, "ndarray")
    if array.ndim == 0:
        raise errors.EncodeError("ndarray: a single value is no list; at least one dimension is needed")
    if array.dtype.kind in "fiu":
        return write_grid(text, array, False)
    return write_plain(text, array.tolist(), "ndarray")


cdef int write_names(text_t *text, object names) except -1:
    cdef bint any = False
    if isinstance(names, str):
        raise errors.EncodeError("names: a str given, a list of str is needed")
    text_word(text, b'"names":[')
    for name in names:
        if any:
            text_byte(text, c',')
        any = True
        write_text(text, name, "names")
    text_word(text, b"],")
    return 0


# --- messages ---

cdef int write_bytes(text_t *text, object value) except -1:
    cdef Py_buffer view
    try:
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
    except (TypeError, ValueError, BufferError):
        raise errors.EncodeError(f"binData: {type(value).__name__} given, contiguous bytes are needed") from None
    text_base64(text, <const unsigned char *>view.buf, view.len)
    PyBuffer_Release(&view)
    return 0


cdef int write_payload(text_t *text, str kind, object value, object names) except -1:
    if kind == "tensor" or kind == "ndarray":
        text_word(text, b'"data":{')
        if names is not None:
            write_names(text, names)
        if kind == "tensor":
            write_tensor(text, value)
        else:
            write_ndarray(text, value)
        text_byte(text, c'}')
    elif kind == "binData":
        text_word(text, b'"binData":')
        write_bytes(text, value)
    elif kind == "strData":
        text_word(text, b'"strData":')
        write_text(text, value, kind)
    else:
        text_word(text, b'"jsonData":' if kind == "jsonData" else b'"customData":')
        write_plain(text, value, kind)
    return 0


cdef int write_message(text_t *text, str kind, object value, object names, object meta, object status) except -1:
    cdef bint last = kind == "strData"
    text_byte(text, c'{')
    if kind and not last:
        write_payload(text, kind, value, names)
        text_byte(text, c',')
    if meta is not None:
        text_word(text, b'"meta":')
        write_plain(text, dict(meta), "meta")
        text_byte(text, c',')
    if status is not None:
        text_word(text, b'"status":')
        write_plain(text, dict(status), "status")
        text_byte(text, c',')
    if last:
        write_payload(text, kind, value, names)
        text_byte(text, c',')
    text_close(text)
    return 0


# A bracket in place of the comma behind the last member.
cdef void text_close(text_t *text) noexcept:
    if text.failed:
        return
    if text.buffer.data[text.buffer.size - 1] == c',':
        text.buffer.size -= 1
    text_byte(text, c'}')


# Kinds whose form is protobuf's business are built there and turned into text.
cdef Message build_through_proto(str kind, object value, object names, object meta, object status):
    cdef Message built = seldon.build(kind, value, names, meta, status)
    cdef failure_t failure
    cdef message_t *raw
    failure_clear(&failure)
    raw = json_of_proto(built.raw, &failure)
    if raw == NULL:
        raise errors.EncodeError(f"{kind}: {(<const char *>failure.text).decode('utf-8', 'replace')}")
    return message_wrap(raw)


# The text as a message; ends the text.
cdef Message text_message(text_t *text):
    cdef buffer_t *buffer = text.buffer
    if text.failed:
        text_drop(text)
        raise MemoryError()
    text.buffer = NULL
    return message_wrap(message_of(ENCODING_SELDON_JSON, FORM_MESSAGE, buffer))


def build(str kind not None, value=None, names=None, meta=None, status=None):
    """A SeldonMessage of `kind`: tensor, ndarray, tftensor, binData, strData, jsonData, customData, "" for none.

    `names` go with the first three kinds, and an empty list of them is written too: clients of Seldon's wrapper read
    it unasked. `meta` and `status` are dicts in their JSON form. customData is a dict with "@type", or
    (type_url, bytes) of a type that has a JSON form. Raises EncodeError for what does not fit.
    """
    cdef text_t text
    if kind not in KINDS:
        raise errors.EncodeError(f"kind {kind!r} does not exist; allowed are {', '.join(KINDS)}")
    if kind == "tftensor" or (kind == "customData" and not isinstance(value, dict)):
        return build_through_proto(kind, value, names or (), meta, status)
    text_begin(&text, 256)
    if text.failed:
        raise MemoryError()
    try:
        write_message(&text, kind, value, names, meta, status)
    except BaseException:
        text_drop(&text)
        raise
    return text_message(&text)


def build_feedback(Message request, Message response, double reward, Message truth):
    """A Feedback of messages (or None) and a reward, by reference."""
    cdef bytes number = (repr(reward) if math.isfinite(reward) else json.dumps(not_a_number(reward))).encode()
    cdef failure_t failure
    cdef message_t *raw
    failure_clear(&failure)
    raw = text_make_feedback(
        NULL if request is None else request.raw, NULL if response is None else response.raw,
        <const char *>number if reward != 0 else NULL, NULL if truth is None else truth.raw, &failure,
    )
    if raw == NULL:
        raise_failure(&failure)
    return message_wrap(raw)


cdef str not_a_number(double value):
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
