"""Owns the codec of encoding seldon-JSON, and its face to Python: opening messages and reading their parts.

Must not know protobuf beyond asking for the other encoding, nor what a graph does with a message. Opening finds
the members; each part is checked and decoded when it is asked for. Members that are not known are left
alone here, as Seldon's wrapper does; they are an error where a message changes its encoding.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t

from executor._native.codec cimport codec_of, codec_register, codec_t, name_t, taken_puid_t
from executor._native.copies cimport COPY_CONTIGUOUS, copies_add
from executor._native.cursor cimport raise_failure
from executor._native.descriptor cimport KIND_INT32
from executor._native.json cimport (
    JSON_DIMS, NUMBER_INTEGER, grid_begin, grid_drop, grid_t, grid_to_double, json_fail,
    json_finish, json_grid, json_more, json_name, json_number, json_odd, json_open, json_over, json_pass, json_peek,
    json_skip, json_string, json_t, number_t, string_is, string_t,
)
from executor._native.json_envelope cimport (
    PAYLOAD_BIN, PAYLOAD_JSON, PAYLOAD_NDARRAY, PAYLOAD_NONE, PAYLOAD_STR, PAYLOAD_TENSOR, PAYLOAD_TFTENSOR,
    envelope_check, feedback_open, member_t, opened_feedback_t, opened_scan, opened_t, text_edit_meta,
    text_make_list,
)
from executor._native.json_field cimport base64_read, read_integer, read_real, read_reals
from executor._native.json_of_proto cimport json_of_proto
from executor._native.message cimport (
    Message, message_add_copy, message_add_part, message_flat, message_new, message_ref, message_t, message_unref,
    message_wrap,
)
from executor._native.proto_of_json cimport proto_of_json
from executor._native.seldon cimport seldon_set_transcoder
from executor._native.tensor cimport array_for, array_over, shape_add, shape_check, shape_t, shape_tuple
from executor._native.types cimport (
    ENCODING_SELDON_JSON, ENCODING_SELDON_PROTO, FORM_FEEDBACK, FORM_LIST, FORM_MESSAGE, ROUTE_ALL,
    STATUS_UNIMPLEMENTED, fail, failure_clear, failure_t,
)

from json import loads

import numpy

from executor import errors
from executor._native import seldon, seldon_json_build

# Building is part of this module's face; only its source lies apart.
build = seldon_json_build.build
build_feedback = seldon_json_build.build_feedback

cdef object FLOAT64 = numpy.dtype("float64")
cdef object INT64 = numpy.dtype("int64")
cdef tuple KINDS = ("", "tensor", "ndarray", "tftensor", "binData", "strData", "jsonData", "customData")
cdef dict META_TYPES = {"puid": str, "tags": dict, "routing": dict, "requestPath": dict, "metrics": list}
cdef tuple MEMBERS = ("status", "meta", "data", "binData", "strData", "jsonData", "customData")
cdef tuple DATA_MEMBERS = ("names", "tensor", "ndarray", "tftensor")
cdef tuple FORMS = ("a SeldonMessage", "a SeldonMessageList", "a Feedback", "an HTTP body")


# --- the codec ---

# A bare array of integers, which a router may answer instead of a message.
cdef int bare_route(message_t *answer, long long *route, failure_t *failure) noexcept nogil:
    cdef json_t json = json_over(message_flat(answer), answer.size, failure)
    cdef const unsigned char *begin
    cdef number_t number
    cdef bint first = True
    cdef int more = json_open(&json, c'[')
    if more == 0:
        return json_fail(&json, json.at, b"the list is empty where a route is needed")
    while more > 0:
        json_peek(&json)
        begin = json.at
        if json_number(&json, &number) < 0:
            return -1
        if number.kind != NUMBER_INTEGER:
            return json_fail(&json, begin, b"a route is a whole number")
        if first:
            route[0] = number.integer
        first = False
        more = json_more(&json, c'[')
    return json_finish(&json) if more == 0 else -1


cdef int text_route(message_t *answer, long long *route, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(answer)
    cdef json_t json = json_over(data, answer.size, failure)
    cdef message_t *proto
    cdef int result
    if data != NULL and json_peek(&json) == c'[':
        return bare_route(answer, route, failure)
    # Anything else must be a SeldonMessage, strictly.
    proto = proto_of_json(answer, failure)
    if proto == NULL:
        return -1
    result = codec_of(ENCODING_SELDON_PROTO).route(proto, route, failure)
    message_unref(proto)
    return result


# A feedback that is not strictly one says nothing about routes, as Seldon's executor has it.
cdef int text_feedback_routes(
    message_t *feedback, const name_t *nodes, int count, int *routes, taken_puid_t *puid, failure_t *failure
) noexcept nogil:
    cdef message_t *proto = proto_of_json(feedback, failure)
    cdef int result = -1
    cdef int index
    if proto != NULL:
        result = codec_of(ENCODING_SELDON_PROTO).feedback_routes(proto, nodes, count, routes, puid, failure)
    puid.owner = proto           # in which its text lies
    if result < 0:
        failure_clear(failure)
        for index in range(count):
            routes[index] = ROUTE_ALL
        puid.size = 0
    return 0


cdef message_t *transcode(message_t *message, int encoding, failure_t *failure) noexcept nogil:
    if encoding == message.encoding:
        return message_ref(message)
    if message.encoding == ENCODING_SELDON_JSON and encoding == ENCODING_SELDON_PROTO:
        return proto_of_json(message, failure)
    if message.encoding == ENCODING_SELDON_PROTO and encoding == ENCODING_SELDON_JSON:
        return json_of_proto(message, failure)
    fail(failure, STATUS_UNIMPLEMENTED, -1, b"there is no way from this encoding to the wanted one")
    return NULL


cdef codec_t codec
codec.encoding = ENCODING_SELDON_JSON
codec.scan = envelope_check
codec.route = text_route
codec.edit_meta = text_edit_meta
codec.make_list = text_make_list
codec.feedback_routes = text_feedback_routes
codec.transcode = transcode
codec.any_answer = True
codec_register(&codec)
seldon_set_transcoder(transcode)


# --- numbers ---

cdef object grid_array(grid_t *grid, tuple shape):
    cdef object dtype = FLOAT64 if grid.real or grid.count == 0 else INT64
    return array_over(grid.buffer, grid.buffer.data, grid.count * 8, dtype, 8, shape, True, NULL)


# The members of a Tensor: its values into the grid, its shape. 0, or -1 with the failure filled in.
cdef int read_tensor(json_t *json, grid_t *grid, shape_t *shape) noexcept nogil:
    cdef string_t name
    cdef int result
    cdef int more = json_open(json, c'{')
    while more > 0:
        if json_name(json, &name) < 0:
            return -1
        if json_peek(json) == c'n':
            result = json_skip(json)
        elif string_is(&name, b"values"):
            grid.count = 0
            result = json_open(json, c'[')
            result = read_reals(json, grid) if result > 0 else result
        elif string_is(&name, b"shape"):
            result = read_shape(json, shape)
        else:
            result = json_skip(json)
        more = json_more(json, c'{') if result == 0 else -1
    return more


cdef int read_shape(json_t *json, shape_t *shape) noexcept nogil:
    cdef const unsigned char *begin
    cdef uint64_t value
    cdef int more = json_open(json, c'[')
    shape.ndim = 0
    while more > 0:
        json_peek(json)
        begin = json.at
        if read_integer(json, KIND_INT32, &value) < 0:
            return -1
        if shape_add(shape, <long long>value) < 0:
            return json_fail(json, begin, b"a tensor has more than 32 dimensions")
        more = json_more(json, c'[')
    return more


# --- parts ---

cdef class Parts:
    """One SeldonMessage, opened: its parts, each decoded when asked for. Made by `open`, never directly."""

    cdef Message whole               # keeps the text
    cdef member_t text               # of this SeldonMessage
    cdef opened_t opened

    def __init__(self):
        raise TypeError("Parts are made by open(), open_list() and open_feedback()")

    @property
    def kind(self):
        """tensor, ndarray, tftensor, binData, strData, jsonData, customData; "" when there is no payload."""
        return KINDS[self.opened.kind]

    @property
    def names(self):
        """The names of `data`, in order."""
        names = self.object(&self.opened.names, list, "data.names", [])
        if not all(isinstance(name, str) for name in names):
            raise errors.DecodeError("data.names: strings are needed", self.offset(&self.opened.names))
        return names

    @property
    def has_meta(self):
        """Whether there is a meta member, be it empty."""
        return self.opened.meta.data != NULL

    @property
    def meta(self):
        """The meta member as a dict; keys that are absent or null are left out.

        Raises DecodeError when puid, tags, routing, requestPath or metrics are of the wrong type.
        """
        found = self.object(&self.opened.meta, dict, "meta", {})
        for key, wanted in META_TYPES.items():
            if not isinstance(found.get(key), (wanted, type(None))):
                raise errors.DecodeError(
                    f"meta.{key}: expected {wanted.__name__}, found {type(found[key]).__name__}",
                    self.offset(&self.opened.meta),
                )
        return {key: value for key, value in found.items() if value is not None}

    def raw_meta(self):
        """The text of the meta member; b"" when there is none."""
        return self.bytes_of(&self.opened.meta)

    @property
    def status(self):
        """The status member as a dict (code, info, reason, status), None when there is none."""
        return self.object(&self.opened.status, dict, "status", None)

    def strays(self):
        """Members that are not known, which may be misspelt: (name, names that are known in its place) of each."""
        cdef dict whole = self.object(&self.text, dict, "the message", {})
        data = whole.get("data")
        found = [(name, MEMBERS) for name in whole if name not in MEMBERS]
        if isinstance(data, dict):
            found += [(f"data.{name}", DATA_MEMBERS) for name in data if name not in DATA_MEMBERS]
        return found

    def message(self):
        """This SeldonMessage as a message of its own, by reference."""
        cdef message_t *raw
        if self.whole.raw.form == FORM_MESSAGE:
            return self.whole
        raw = message_new(ENCODING_SELDON_JSON, FORM_MESSAGE)
        part = message_wrap(raw)
        if message_add_part(raw, self.whole.raw, self.offset(&self.text), self.text.size) < 0:
            raise MemoryError()
        return part

    def array(self, xp=None):
        """The numbers of tensor, ndarray or tftensor as an array of module `xp` (numpy when None).

        A tensor or ndarray of integers alone becomes int64, as in Seldon's wrapper, other numbers float64; an ndarray
        of anything else what numpy.array makes of the nested list.
        """
        if self.opened.kind == PAYLOAD_TENSOR:
            return array_for(self.tensor(), xp)
        if self.opened.kind == PAYLOAD_NDARRAY:
            return array_for(self.ndarray(), xp)
        if self.opened.kind == PAYLOAD_TFTENSOR:
            return self.tftensor().array(xp)
        raise errors.DecodeError(
            f"the message holds {self.kind or 'no payload'}; an array needs tensor, ndarray or tftensor"
        )

    def value(self):
        """The payload as a Python object: nested lists for ndarray, bytes, str, or what the JSON says (for
        customData too), an array for tensor and tftensor, None when there is no payload.
        """
        cdef int kind = self.opened.kind
        if kind == PAYLOAD_NONE:
            return None
        if kind == PAYLOAD_TENSOR or kind == PAYLOAD_TFTENSOR:
            return self.array()
        if kind == PAYLOAD_BIN:
            return self.binary()
        if kind == PAYLOAD_STR:
            return self.object(&self.opened.body, str, "strData", "")
        if kind == PAYLOAD_JSON:
            return self.object(&self.opened.body, object, "jsonData", None)
        return self.object(&self.opened.body, list if kind == PAYLOAD_NDARRAY else dict, self.kind, None)

    cdef Py_ssize_t offset(self, const member_t *member):
        return member.data - message_flat(self.whole.raw)

    cdef bytes bytes_of(self, const member_t *member):
        return member.data[:member.size] if member.data != NULL else b""

    cdef json_t reader(self, const member_t *member, failure_t *failure):
        cdef json_t text = json_over(member.data, member.size, failure)
        failure_clear(failure)
        text.start = message_flat(self.whole.raw)
        return text

    # A member as Python's json reads it; of type `wanted`.
    cdef object object(self, const member_t *member, type wanted, str what, object absent):
        cdef failure_t failure
        cdef json_t text
        if member.data == NULL:
            return absent
        # Python's json lets more pass; of that, NaN and Infinity are let pass here as well.
        text = self.reader(member, &failure)
        if json_skip(&text) < 0 or json_finish(&text) < 0:
            if not json_odd(&text):
                raise_failure(&failure)
        try:
            found = loads(PyUnicode_DecodeUTF8(<const char *>member.data, member.size, NULL))
        except (ValueError, RecursionError) as error:
            raise errors.DecodeError(f"{what}: {error}", self.offset(member)) from None
        if not isinstance(found, wanted):
            raise errors.DecodeError(
                f"{what}: expected {wanted.__name__}, found {type(found).__name__}", self.offset(member)
            )
        return found

    cdef object tensor(self):
        cdef failure_t failure
        cdef json_t text = self.reader(&self.opened.body, &failure)
        cdef shape_t shape
        cdef grid_t grid
        shape.ndim = 0
        # Sixteen bytes of text for a number of eight is a guess; the grid grows where there are more.
        if grid_begin(&grid, self.opened.body.size // 2, &failure) < 0:
            raise_failure(&failure)
        try:
            if read_tensor(&text, &grid, &shape) < 0:
                raise_failure(&failure)
            if grid.big:
                grid_to_double(&grid)
            if shape.ndim == 0 and grid.count != 1:
                # No shape given: one dimension.
                shape_add(&shape, grid.count)
            shape_check(&shape, grid.count, self.offset(&self.opened.body), "tensor")
            return grid_array(&grid, shape_tuple(&shape))
        finally:
            grid_drop(&grid)

    cdef object ndarray(self):
        cdef failure_t failure
        cdef json_t text = self.reader(&self.opened.body, &failure)
        cdef grid_t grid
        cdef int found
        if grid_begin(&grid, self.opened.body.size // 2, &failure) < 0:
            raise_failure(&failure)
        try:
            found = json_grid(&text, &grid, JSON_DIMS)
            if found < 0:
                raise_failure(&failure)
            # Integers beyond int64 are left to numpy, which knows unsigned ones.
            if found > 0 and not grid.big:
                return grid_array(&grid, tuple([grid.dims[level] for level in range(grid.ndim)]))
        finally:
            grid_drop(&grid)
        try:
            return numpy.array(self.object(&self.opened.body, list, "ndarray", None))
        except ValueError as error:
            told = f"ndarray: no array, its lists differ in length or depth: {error}"
            raise errors.DecodeError(told, self.offset(&self.opened.body)) from None

    # TensorProto has one reader, that of protobuf.
    cdef object tftensor(self):
        cdef failure_t failure
        cdef message_t *raw = message_new(ENCODING_SELDON_JSON, FORM_MESSAGE)
        cdef Message _kept = message_wrap(raw)
        cdef message_t *proto
        if (
            message_add_copy(raw, b'{"data":{"tftensor":', 20) < 0
            or message_add_part(raw, self.whole.raw, self.offset(&self.opened.body), self.opened.body.size) < 0
            or message_add_copy(raw, b"}}", 2) < 0
        ):
            raise MemoryError()
        failure_clear(&failure)
        proto = proto_of_json(raw, &failure)
        if proto == NULL:
            if failure.offset >= 0:
                failure.offset += self.offset(&self.opened.body) - 20
            raise_failure(&failure)
        return seldon.open(message_wrap(proto))

    cdef bytes binary(self):
        cdef failure_t failure
        cdef json_t text = self.reader(&self.opened.body, &failure)
        cdef string_t string
        cdef bytes room
        cdef Py_ssize_t size
        if json_string(&text, &string) < 0:
            raise_failure(&failure)
        room = PyBytes_FromStringAndSize(NULL, string.size)
        size = base64_read(&text, &string, <unsigned char *>PyBytes_AS_STRING(room))
        if size < 0:
            raise_failure(&failure)
        return room[:size]

    def __repr__(self):
        return f"<Parts {self.kind or 'without payload'}, {self.text.size} bytes>"


cdef class FeedbackParts:
    """One Feedback, opened: `request`, `response` and `truth` are Parts or None, `reward` is a number."""

    cdef readonly Parts request
    cdef readonly Parts response
    cdef readonly Parts truth
    cdef readonly float reward

    def __init__(self):
        raise TypeError("FeedbackParts are made by open_feedback()")


# --- opening ---

# The message with its text in one span. One that others hold is not changed under them.
cdef Message settled(Message message, int form):
    cdef Message given = message
    cdef message_t *raw
    cdef Message copy
    cdef bint scattered
    if message is None:
        raise TypeError("a Message is needed, None given")
    raw = message.raw
    if raw.encoding != ENCODING_SELDON_JSON or raw.form != form:
        raise ValueError(
            f"{FORMS[form]} in encoding {ENCODING_SELDON_JSON} is needed;"
            f" the message is {FORMS[raw.form]} in encoding {raw.encoding}"
        )
    scattered = raw.count > 1
    if scattered and raw.refs > 1:
        copy = message_wrap(message_new(raw.encoding, raw.form))
        if message_add_part(copy.raw, raw, 0, raw.size) < 0:
            raise MemoryError()
        message = copy
    if message_flat(message.raw) == NULL:
        raise MemoryError()
    if scattered:
        copies_add(&given.copies, COPY_CONTIGUOUS, message.raw.size)
    return message


cdef member_t text_of(Message whole):
    cdef member_t text
    text.data = message_flat(whole.raw)
    text.size = whole.raw.size
    return text


cdef Parts parts_over(Message whole, member_t text):
    cdef Parts parts = Parts.__new__(Parts)
    cdef failure_t failure
    parts.whole = whole
    parts.text = text
    failure_clear(&failure)
    if opened_scan(message_flat(whole.raw), text, &parts.opened, &failure) < 0:
        raise_failure(&failure)
    return parts


def open(Message message):
    """Opens a SeldonMessage. Raises DecodeError for what is no JSON object, ValueError for another kind of message."""
    cdef Message whole = settled(message, FORM_MESSAGE)
    return parts_over(whole, text_of(whole))


# Moves the reader to the array of a list message: bare, or the member `seldonMessages` of an object, which may be
# absent: 0 then, 1 otherwise, -1 for failure.
cdef int find_list(json_t *text) noexcept nogil:
    cdef json_t found = text[0]
    cdef string_t name
    cdef bint any = False
    cdef int more
    if json_peek(text) == c'[':
        return 1
    more = json_open(text, c'{')
    while more > 0:
        if json_name(text, &name) < 0:
            return -1
        if string_is(&name, b"seldonMessages") and json_peek(text) != c'n':
            found = text[0]
            any = True
        if json_pass(text) < 0:
            return -1
        more = json_more(text, c'{')
    if more < 0 or json_finish(text) < 0:
        return -1
    text[0] = found
    return any


def open_list(Message message):
    """Opens a SeldonMessageList, a bare array or an object with `seldonMessages`: its messages in order."""
    cdef Message whole = settled(message, FORM_LIST)
    cdef failure_t failure
    cdef json_t text = json_over(message_flat(whole.raw), whole.raw.size, &failure)
    cdef member_t item
    cdef list found = []
    cdef bint bare = json_peek(&text) == c'['
    cdef int more
    failure_clear(&failure)
    more = find_list(&text)
    if more > 0:
        more = json_open(&text, c'[')
    while more > 0:
        json_peek(&text)
        item.data = text.at
        if json_pass(&text) < 0:
            break
        item.size = text.at - item.data
        found.append(parts_over(whole, item))
        more = json_more(&text, c'[')
    if more != 0 or (bare and json_finish(&text) < 0):
        raise_failure(&failure)
    return found


cdef Parts feedback_part(Message whole, member_t text):
    return parts_over(whole, text) if text.data != NULL else None


def open_feedback(Message message):
    """Opens a Feedback. Raises as `open` does."""
    cdef Message whole = settled(message, FORM_FEEDBACK)
    cdef FeedbackParts parts = FeedbackParts.__new__(FeedbackParts)
    cdef opened_feedback_t opened
    cdef failure_t failure
    cdef json_t text
    cdef double reward = 0
    failure_clear(&failure)
    if feedback_open(message_flat(whole.raw), text_of(whole), &opened, &failure) < 0:
        raise_failure(&failure)
    if opened.reward.data != NULL:
        text = json_over(opened.reward.data, opened.reward.size, &failure)
        text.start = message_flat(whole.raw)
        if read_real(&text, &reward) < 0:
            raise errors.DecodeError(f"reward: {(<const char *>failure.text).decode('utf-8')}", failure.offset)
    parts.request = feedback_part(whole, opened.request)
    parts.response = feedback_part(whole, opened.response)
    parts.truth = feedback_part(whole, opened.truth)
    parts.reward = <float>reward
    return parts
