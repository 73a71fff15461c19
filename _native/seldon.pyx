"""Owns the codec of encoding seldon-protobuf, and its face to Python: opening messages and reading their parts.

Must not know JSON (that module sets the transcoder) nor what a graph does with a message. Opening looks at the
envelope only; each part is decoded when it is asked for.
"""

from libc.string cimport memcpy

from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.codec cimport codec_register, codec_t
from executor._native.copies cimport COPY_BYTES, COPY_CONTIGUOUS, copies_add, copies_t
from executor._native.cursor cimport (
    cursor_enter, cursor_fail, cursor_left, cursor_offset, cursor_over, cursor_t, cursor_text, raise_failure,
)
from executor._native.message cimport (
    Message, message_add, message_add_part, message_flat, message_is_sole, message_new, message_of, message_ref,
    message_t, message_wrap,
)
from executor._native.seldon_envelope cimport (
    DATA_NAMES, DATA_NDARRAY, DATA_TENSOR, DATA_TFTENSOR, FEEDBACK_REQUEST, FEEDBACK_RESPONSE, FEEDBACK_TRUTH,
    LIST_MESSAGES, MESSAGE_BIN, MESSAGE_DATA, MESSAGE_JSON, MESSAGE_META, MESSAGE_STATUS, MESSAGE_STR,
    TENSOR_VALUES, data_scan, data_t, envelope_scan, envelope_t, feedback_scan, feedback_t, piece_enter, piece_t,
    seldon_edit_meta, seldon_feedback_routes, seldon_make_list, seldon_scan,
)
from executor._native.seldon_meta cimport meta_object, status_object
from executor._native.seldon_tensor cimport seldon_mean, tensor_scan
from executor._native.seldon_tftensor cimport tftensor_array, tftensor_first_int
from executor._native.seldon_value cimport list_array, list_first_number, list_object, value_object
from executor._native.tensor cimport (
    array_for, array_over, numbers_gather, numbers_t, shape_add, shape_check, shape_t, shape_tuple,
)
from executor._native.types cimport (
    ENCODING_SELDON_PROTO, FORM_FEEDBACK, FORM_LIST, FORM_MESSAGE, STATUS_RESOURCE_EXHAUSTED, STATUS_UNIMPLEMENTED,
    fail, failure_clear,
)
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED64, field_t, wire_double, wire_is, wire_next,
)

import numpy

from executor import errors
from executor._native import seldon_build

# Building is part of this module's face; only its source lies apart.
build = seldon_build.build
build_feedback = seldon_build.build_feedback

cdef object FLOAT64 = numpy.dtype("float64")
cdef tuple KINDS = ("", "", "", "", "binData", "strData", "jsonData", "customData")
cdef tuple DATA_KINDS = ("", "", "tensor", "ndarray", "tftensor")
cdef tuple FORMS = ("a SeldonMessage", "a SeldonMessageList", "a Feedback", "an HTTP body")


# --- the route in a router's answer ---

cdef int route_of_number(double number, long long *route, const cursor_t *cursor, failure_t *failure) noexcept nogil:
    if number != number:
        return cursor_fail(cursor, cursor.position, failure, b"the route is NaN; allowed are whole numbers", 0, 0)
    # Far outside of any range is still a number: the caller names the range.
    if number >= 9e18 or number <= -9e18:
        route[0] = <long long>9e18 if number > 0 else -<long long>9e18
    else:
        route[0] = <long long>number
    return 0


cdef int tensor_first(cursor_t cursor, double *number, failure_t *failure) noexcept nogil:
    cdef const unsigned char *begin = cursor.position
    cdef field_t field
    cdef int got
    while True:
        got = wire_next(&cursor, &field, failure)
        if got < 0:
            return -1
        if got == 0:
            return cursor_fail(&cursor, begin, failure, b"the tensor is empty where a route is needed", 0, 0)
        if wire_is(&field, TENSOR_VALUES, WIRE_FIXED64):
            number[0] = wire_double(field.value)
            return 0
        if wire_is(&field, TENSOR_VALUES, WIRE_BYTES) and field.size >= 8:
            memcpy(number, field.data, 8)
            return 0


cdef int data_route(cursor_t cursor, int kind, long long *route, failure_t *failure) noexcept nogil:
    cdef double number
    cdef int result
    if kind == DATA_TFTENSOR:
        return tftensor_first_int(cursor, route, failure)
    if kind == DATA_NDARRAY:
        result = list_first_number(cursor, &number, failure)
    else:
        result = tensor_first(cursor, &number, failure)
    return result if result < 0 else route_of_number(number, route, &cursor, failure)


cdef int seldon_route(message_t *answer, long long *route, failure_t *failure) noexcept nogil:
    cdef const unsigned char *bytes = message_flat(answer)
    cdef buffer_t *joined_data = NULL
    cdef buffer_t *joined_body = NULL
    cdef cursor_t cursor, inner, body
    cdef envelope_t envelope
    cdef data_t data
    cdef int result
    route[0] = -1
    if bytes == NULL:
        return fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"memory is out")
    cursor = cursor_over(bytes, answer.size)
    if envelope_scan(cursor, &envelope, failure) < 0:
        return -1
    if envelope.kind != MESSAGE_DATA:
        return 0
    if piece_enter(&cursor, &envelope.body, MESSAGE_DATA, &inner, &joined_data, failure) < 0:
        return -1
    result = data_scan(inner, &data, failure)
    if result == 0 and data.kind != 0:
        result = piece_enter(&inner, &data.body, data.kind, &body, &joined_body, failure)
        if result == 0:
            result = data_route(body, data.kind, route, failure)
    buffer_unref(joined_body)
    buffer_unref(joined_data)
    return result


# --- the codec ---

cdef transcoder_t transcoder = NULL


cdef void seldon_set_transcoder(transcoder_t function) noexcept nogil:
    global transcoder
    transcoder = function


cdef message_t *seldon_transcode(message_t *message, int encoding, failure_t *failure) noexcept nogil:
    if encoding == ENCODING_SELDON_PROTO:
        return message_ref(message)
    if transcoder == NULL:
        fail(failure, STATUS_UNIMPLEMENTED, -1, b"no codec for the wanted encoding is loaded")
        return NULL
    return transcoder(message, encoding, failure)


cdef codec_t codec
codec.encoding = ENCODING_SELDON_PROTO
codec.scan = seldon_scan
codec.route = seldon_route
codec.edit_meta = seldon_edit_meta
codec.make_list = seldon_make_list
codec.feedback_routes = seldon_feedback_routes
codec.transcode = seldon_transcode
codec.mean = seldon_mean
codec_register(&codec)


# --- reading parts ---


# A Tensor as an array: over the bytes in `buffer` where they allow it and `sole` is true, else copied.
cdef object tensor_array(cursor_t cursor, buffer_t *buffer, bint sole, copies_t **copies):
    cdef buffer_t *joined
    cdef failure_t failure
    cdef numbers_t numbers
    cdef shape_t shape
    failure_clear(&failure)
    if tensor_scan(cursor, &shape, &numbers, &failure) < 0:
        raise_failure(&failure)
    if shape.ndim == 0 and numbers.bytes != 8:
        # No shape given: one dimension.
        shape_add(&shape, numbers.bytes // 8)
    shape_check(&shape, numbers.bytes // 8, cursor_offset(&cursor, cursor.position), "tensor")
    if numbers.pieces <= 1:
        return array_over(buffer, numbers.data, numbers.bytes, FLOAT64, 8, shape_tuple(&shape), sole, copies)
    joined = numbers_gather(cursor, TENSOR_VALUES, 8, &numbers, copies)
    if joined == NULL:
        raise MemoryError()
    try:
        return array_over(joined, joined.data, joined.size, FLOAT64, 8, shape_tuple(&shape), True, NULL)
    finally:
        buffer_unref(joined)


# A google.protobuf.Any as (type_url, value).
cdef tuple any_object(cursor_t cursor):
    cdef failure_t failure
    cdef field_t field
    cdef str url = ""
    cdef bytes value = b""
    cdef int got = 1
    failure_clear(&failure)
    while got > 0:
        got = wire_next(&cursor, &field, &failure)
        if got > 0 and wire_is(&field, 1, WIRE_BYTES):
            url = cursor_text(&cursor, field.data, field.size)
        elif got > 0 and wire_is(&field, 2, WIRE_BYTES):
            value = field.data[:field.size]
    if got < 0:
        raise_failure(&failure)
    return (url, value)


cdef class Parts:
    """One SeldonMessage, opened: its parts, each decoded when asked for. Made by `open`, never directly."""

    cdef Message given               # what was opened: copies of it are remembered there
    cdef Message whole               # keeps the bytes: the same, or that in one piece
    cdef cursor_t cursor             # over the bytes of this SeldonMessage
    cdef bint sole                   # nobody else saw the bytes when they were opened
    cdef bint lent                   # an array over them was given away
    cdef envelope_t envelope
    cdef data_t data
    cdef cursor_t data_cursor        # over the content of DefaultData
    cdef buffer_t *data_joined       # holds that content when it came in several pieces

    def __init__(self):
        raise TypeError("Parts are made by open(), open_list() and open_feedback()")

    def __dealloc__(self):
        buffer_unref(self.data_joined)

    @property
    def kind(self):
        """tensor, ndarray, tftensor, binData, strData, jsonData, customData; "" when there is no payload."""
        if self.envelope.kind == MESSAGE_DATA:
            return DATA_KINDS[self.data.kind]
        return KINDS[self.envelope.kind]

    @property
    def names(self):
        """The names of `data`, in order."""
        cdef cursor_t cursor = self.data_cursor
        cdef failure_t failure
        cdef field_t field
        cdef list found = []
        if self.data.names.count == 0:
            return found
        # These bytes were scanned when the message was opened, so the only way out is their end.
        cursor.position = self.data.names.first
        while len(found) < self.data.names.count and wire_next(&cursor, &field, &failure) > 0:
            if wire_is(&field, DATA_NAMES, WIRE_BYTES):
                found.append(cursor_text(&cursor, field.data, field.size))
        return found

    @property
    def has_meta(self):
        """Whether there is a meta field, be it empty."""
        return self.envelope.meta.count > 0

    @property
    def meta(self):
        """The meta field as a dict in its JSON form; absent keys are left out."""
        cdef cursor_t inner
        cdef buffer_t *joined = NULL
        if self.envelope.meta.count == 0:
            return {}
        self.enter(&self.envelope.meta, MESSAGE_META, &inner, &joined)
        try:
            return meta_object(inner)
        finally:
            buffer_unref(joined)

    def raw_meta(self):
        """The content of the meta field as it lies on the wire, occurrences merged; b"" when there is none."""
        cdef cursor_t inner
        cdef buffer_t *joined = NULL
        if self.envelope.meta.count == 0:
            return b""
        self.enter(&self.envelope.meta, MESSAGE_META, &inner, &joined)
        try:
            return inner.position[:cursor_left(&inner)]
        finally:
            buffer_unref(joined)

    @property
    def status(self):
        """The status field as a dict (code, info, reason, status), None when there is none."""
        cdef cursor_t inner
        cdef buffer_t *joined = NULL
        if self.envelope.status.count == 0:
            return None
        self.enter(&self.envelope.status, MESSAGE_STATUS, &inner, &joined)
        try:
            return status_object(inner)
        finally:
            buffer_unref(joined)

    def message(self):
        """This SeldonMessage as a message of its own, by reference."""
        cdef message_t *raw
        # The bytes are now seen by somebody else: arrays given from here on are copies.
        self.sole = False
        if self.whole.raw.form == FORM_MESSAGE:
            return self.whole
        raw = message_new(ENCODING_SELDON_PROTO, FORM_MESSAGE)
        part = message_wrap(raw)
        if cursor_left(&self.cursor) > 0 and message_add(
            raw, self.whole.raw.spans[0].buffer, self.cursor.position, cursor_left(&self.cursor)
        ) < 0:
            raise MemoryError()
        return part

    def array(self, xp=None):
        """The numbers of tensor, ndarray or tftensor as an array of module `xp` (numpy when None).

        Without a copy when the message alone owns the bytes and they are aligned; always writable. An ndarray
        that is no rectangle of numbers becomes what numpy.array makes of the nested list.
        """
        cdef cursor_t body
        cdef buffer_t *joined = NULL
        cdef buffer_t *buffer
        cdef bint sole
        if self.envelope.kind != MESSAGE_DATA or self.data.kind == 0:
            raise errors.DecodeError(
                f"the message holds {self.kind or 'no payload'}; an array needs tensor, ndarray or tftensor"
            )
        self.enter_in(&self.data_cursor, &self.data.body, self.data.kind, &body, &joined)
        try:
            buffer = joined if joined != NULL else self.data_joined
            sole = not self.lent or joined != NULL
            if buffer == NULL:
                buffer = self.whole.raw.spans[0].buffer
                sole = sole and self.sole and self.whole.raw.refs == 1
            if self.data.kind == DATA_TENSOR:
                found = tensor_array(body, buffer, sole, &self.given.copies)
            elif self.data.kind == DATA_NDARRAY:
                return array_for(list_array(body), xp)
            else:
                found = tftensor_array(body, buffer, sole, &self.given.copies)
            self.lent = True
            return found if xp is None else array_for(found, xp)
        finally:
            buffer_unref(joined)

    def value(self):
        """The payload as a Python object: nested lists for ndarray, bytes, str, or what the JSON says;
        (type_url, value) for customData, an array for tensor and tftensor, None when there is no payload.
        """
        cdef cursor_t body
        cdef buffer_t *joined = NULL
        cdef piece_t *piece = &self.envelope.body
        cdef int kind = self.envelope.kind
        if kind == 0:
            return None
        if kind == MESSAGE_BIN:
            copies_add(&self.given.copies, COPY_BYTES, piece.size)
            return piece.data[:piece.size]
        if kind == MESSAGE_STR:
            return cursor_text(&self.cursor, piece.data, piece.size)
        if kind == MESSAGE_DATA and self.data.kind != DATA_NDARRAY:
            return self.array() if self.data.kind else None
        if kind == MESSAGE_DATA:
            self.enter_in(&self.data_cursor, &self.data.body, DATA_NDARRAY, &body, &joined)
        else:
            self.enter(piece, kind, &body, &joined)
        try:
            if kind == MESSAGE_DATA:
                return list_object(body)
            return value_object(body) if kind == MESSAGE_JSON else any_object(body)
        finally:
            buffer_unref(joined)

    cdef int enter(self, const piece_t *piece, int number, cursor_t *inner, buffer_t **joined) except -1:
        return self.enter_in(&self.cursor, piece, number, inner, joined)

    cdef int enter_in(
        self, const cursor_t *outer, const piece_t *piece, int number, cursor_t *inner, buffer_t **joined
    ) except -1:
        cdef failure_t failure
        failure_clear(&failure)
        if piece_enter(outer, piece, number, inner, joined, &failure) < 0:
            raise_failure(&failure)
        if joined[0] != NULL and piece != &self.envelope.meta:
            copies_add(&self.given.copies, COPY_CONTIGUOUS, joined[0].size)
        return 0

    def __repr__(self):
        return f"<Parts {self.kind or 'without payload'}, {cursor_left(&self.cursor)} bytes>"


cdef class FeedbackParts:
    """One Feedback, opened: `request`, `response` and `truth` are Parts or None, `reward` is a number."""

    cdef readonly Parts request
    cdef readonly Parts response
    cdef readonly Parts truth
    cdef readonly float reward

    def __init__(self):
        raise TypeError("FeedbackParts are made by open_feedback()")


# --- opening ---

# The message with its bytes in one span. One that others hold is not changed under them.
cdef Message settled(Message message, int form):
    cdef Message given = message
    cdef message_t *raw
    if message is None:
        raise TypeError("a Message is needed, None given")
    raw = message.raw
    if raw.encoding != ENCODING_SELDON_PROTO or raw.form != form:
        raise ValueError(
            f"{FORMS[form]} in encoding {ENCODING_SELDON_PROTO} is needed;"
            f" the message is {FORMS[raw.form]} in encoding {raw.encoding}"
        )
    if raw.count <= 1:
        return message
    if raw.refs > 1:
        raw = message_new(raw.encoding, raw.form)
        settled_one = message_wrap(raw)
        if message_add_part(raw, message.raw, 0, message.raw.size) < 0:
            raise MemoryError()
        message = settled_one
    if message_flat(message.raw) == NULL:
        raise MemoryError()
    copies_add(&given.copies, COPY_CONTIGUOUS, raw.size)
    return message


cdef Parts parts_over(Message given, Message whole, const cursor_t *cursor, bint sole):
    cdef Parts parts = Parts.__new__(Parts)
    cdef failure_t failure
    parts.given = given
    parts.whole = whole
    parts.cursor = cursor[0]
    parts.sole = sole
    failure_clear(&failure)
    if envelope_scan(parts.cursor, &parts.envelope, &failure) < 0:
        raise_failure(&failure)
    if parts.envelope.kind == MESSAGE_DATA:
        parts.enter(&parts.envelope.body, MESSAGE_DATA, &parts.data_cursor, &parts.data_joined)
        if data_scan(parts.data_cursor, &parts.data, &failure) < 0:
            raise_failure(&failure)
    return parts


def open(Message message):
    """Opens a SeldonMessage. Raises DecodeError for a broken envelope, ValueError for another kind of message."""
    cdef Message whole = settled(message, FORM_MESSAGE)
    cdef cursor_t cursor = cursor_over(message_flat(whole.raw), whole.raw.size)
    return parts_over(message, whole, &cursor, message_is_sole(whole.raw))


def open_list(Message message):
    """Opens a SeldonMessageList: its messages in order. Raises as `open` does."""
    cdef Message whole = settled(message, FORM_LIST)
    cdef cursor_t cursor = cursor_over(message_flat(whole.raw), whole.raw.size)
    cdef bint sole = message_is_sole(whole.raw)
    cdef cursor_t inner
    cdef failure_t failure
    cdef field_t field
    cdef list found = []
    cdef int got
    failure_clear(&failure)
    while True:
        got = wire_next(&cursor, &field, &failure)
        if got == 0:
            return found
        if got > 0 and not wire_is(&field, LIST_MESSAGES, WIRE_BYTES):
            continue
        if got < 0 or cursor_enter(&cursor, field.data, field.size, &inner, &failure) < 0:
            raise_failure(&failure)
        found.append(parts_over(message, whole, &inner, sole))


# One of the messages of a Feedback; None when it is not there.
cdef Parts feedback_part(
    Message given, Message whole, const cursor_t *cursor, const piece_t *piece, int number, bint sole
):
    cdef cursor_t inner
    cdef failure_t failure
    cdef buffer_t *joined = NULL
    if piece.count == 0:
        return None
    failure_clear(&failure)
    if piece_enter(cursor, piece, number, &inner, &joined, &failure) < 0:
        raise_failure(&failure)
    if joined != NULL:
        copies_add(&given.copies, COPY_CONTIGUOUS, joined.size)
        whole = message_wrap(message_of(ENCODING_SELDON_PROTO, FORM_MESSAGE, joined))
        sole = True
    return parts_over(given, whole, &inner, sole)


def open_feedback(Message message):
    """Opens a Feedback. Raises as `open` does."""
    cdef Message whole = settled(message, FORM_FEEDBACK)
    cdef cursor_t cursor = cursor_over(message_flat(whole.raw), whole.raw.size)
    cdef bint sole = message_is_sole(whole.raw)
    cdef FeedbackParts parts = FeedbackParts.__new__(FeedbackParts)
    cdef feedback_t feedback
    cdef failure_t failure
    failure_clear(&failure)
    if feedback_scan(cursor, &feedback, &failure) < 0:
        raise_failure(&failure)
    parts.request = feedback_part(message, whole, &cursor, &feedback.request, FEEDBACK_REQUEST, sole)
    parts.response = feedback_part(message, whole, &cursor, &feedback.response, FEEDBACK_RESPONSE, sole)
    parts.truth = feedback_part(message, whole, &cursor, &feedback.truth, FEEDBACK_TRUTH, sole)
    parts.reward = feedback.reward
    return parts
