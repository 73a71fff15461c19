"""Owns the Python face of the codec table: each thing that `flow` does to a message, as one call.

Must not know any protocol, nor be used on the request path: it is for tools, clients and tests. The codec of a
message's encoding must have been imported.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdlib cimport free, malloc

from executor._native.codec cimport codec_of, codec_t, meta_edit_t, name_t, taken_puid_t
from executor._native.cursor cimport raise_failure
from executor._native.message cimport Message, message_t, message_unref, message_wrap
from executor._native.types cimport failure_clear, failure_t


cdef const codec_t *table_of(int encoding) except NULL:
    cdef const codec_t *codec = codec_of(encoding)
    if codec == NULL:
        raise ValueError(f"encoding {encoding}: no codec is loaded for it")
    return codec


cdef Message wrapped(message_t *raw, const failure_t *failure):
    if raw == NULL:
        raise_failure(failure)
    return message_wrap(raw)


# Node names and their routes as the table's functions take them; freed with the object.
cdef class Names:
    cdef list kept
    cdef name_t *names
    cdef int *routes
    cdef int count

    def __cinit__(self, names):
        cdef Py_ssize_t size
        cdef int index
        self.kept = list(names)
        self.count = <int>len(self.kept)
        self.names = <name_t *>malloc((self.count + 1) * sizeof(name_t))
        self.routes = <int *>malloc((self.count + 1) * sizeof(int))
        if self.names == NULL or self.routes == NULL:
            raise MemoryError()
        for index in range(self.count):
            self.names[index].data = PyUnicode_AsUTF8AndSize(self.kept[index], &size)
            self.names[index].size = size

    def __dealloc__(self):
        free(self.names)
        free(self.routes)


def scan(Message message not None):
    """Checks the envelope. Raises DecodeError for what is none."""
    cdef failure_t failure
    failure_clear(&failure)
    if table_of(message.raw.encoding).scan(message.raw, &failure) < 0:
        raise_failure(&failure)


def route(Message answer not None):
    """The route that a router's answer means. Raises DecodeError where there should be one and is none."""
    cdef failure_t failure
    cdef long long number = 0
    failure_clear(&failure)
    if table_of(answer.raw.encoding).route(answer.raw, &number, &failure) < 0:
        raise_failure(&failure)
    return number


def edit_meta(Message message not None, dict routing, str puid=""):
    """The same message with `routing` entries and `puid` added inside its one meta field, by reference."""
    cdef Names names = Names(routing)
    cdef Names ids = Names([puid])
    cdef failure_t failure
    cdef meta_edit_t edit
    cdef int index
    failure_clear(&failure)
    for index in range(names.count):
        names.routes[index] = routing[names.kept[index]]
    edit.nodes = names.names
    edit.routes = names.routes
    edit.count = names.count
    edit.puid = ids.names[0]
    return wrapped(table_of(message.raw.encoding).edit_meta(message.raw, &edit, &failure), &failure)


def make_list(messages not None, encoding=None):
    """One list message of `messages`, all of one encoding, by reference. Without any, `encoding` says which."""
    cdef list items = list(messages)
    cdef failure_t failure
    cdef message_t *made
    cdef message_t **raws
    cdef Py_ssize_t index
    cdef const codec_t *codec
    failure_clear(&failure)
    codec = table_of((<Message?>items[0]).raw.encoding if encoding is None else encoding)
    raws = <message_t **>malloc((len(items) + 1) * sizeof(message_t *))
    if raws == NULL:
        raise MemoryError()
    try:
        for index in range(len(items)):
            raws[index] = (<Message?>items[index]).raw
        made = codec.make_list(raws, <int>len(items), &failure)
    finally:
        free(raws)
    return wrapped(made, &failure)


def feedback_routes(Message feedback not None, nodes):
    """The routes that a feedback message's response took at `nodes`; -1 where it says nothing."""
    cdef Names names = Names(nodes)
    cdef taken_puid_t puid
    cdef failure_t failure
    cdef int index, result
    failure_clear(&failure)
    result = table_of(feedback.raw.encoding).feedback_routes(
        feedback.raw, names.names, names.count, names.routes, &puid, &failure
    )
    message_unref(puid.owner)
    if result < 0:
        raise_failure(&failure)
    return [names.routes[index] for index in range(names.count)]


def feedback_puid(Message feedback not None):
    """The puid of the request that a feedback message is about; "" where it says nothing."""
    cdef taken_puid_t puid
    cdef failure_t failure
    cdef int result
    failure_clear(&failure)
    result = table_of(feedback.raw.encoding).feedback_routes(feedback.raw, NULL, 0, NULL, &puid, &failure)
    text = puid.text[:puid.size] if result == 0 and puid.size > 0 else b""
    message_unref(puid.owner)
    if result < 0:
        raise_failure(&failure)
    return text.decode("utf-8", "replace")


def transcode(Message message not None, int encoding):
    """The same message in another encoding. Raises DecodeError, or Error when there is no such way."""
    cdef failure_t failure
    failure_clear(&failure)
    return wrapped(table_of(message.raw.encoding).transcode(message.raw, encoding, &failure), &failure)
