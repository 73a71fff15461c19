"""Owns what passes between `flow` and whatever reaches a node: calls, errors, metadata.

Must not know how a node is reached, nor how a plan is walked.
"""

import re

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, strlen

from executor._native.buffer cimport buffer_copy, buffer_of_bytes, buffer_t, buffer_unref, counter_add
from executor._native.types cimport ENCODING_ANY, STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED

from executor import errors
from executor.status import Status

# What HTTP/2 can carry as a field (RFC 9113, 8.2.1); a peer would reset the stream for anything else.
cdef object NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
cdef object VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch

# What is reported when there is no memory left to describe an error with.
cdef error_t out_of_memory
out_of_memory.status = STATUS_RESOURCE_EXHAUSTED
out_of_memory.text = buffer_of_bytes(b"out of memory")
out_of_memory.details = NULL
out_of_memory.exception = NULL
out_of_memory.node = NULL


cdef error_t *error_new(int status, const char *text, size_t size) noexcept nogil:
    cdef error_t *error = <error_t *>malloc(sizeof(error_t))
    if error == NULL:
        return &out_of_memory
    error.text = buffer_copy(text, size)
    if error.text == NULL:
        free(error)
        return &out_of_memory
    error.status = status
    error.details = NULL
    error.exception = NULL
    error.unreached = False
    error.node = NULL
    return error


cdef error_t *error_at(int status, const char *node, size_t node_size, const char *text) noexcept nogil:
    cdef char[640] line
    cdef int size = snprintf(line, sizeof(line), b"node '%.*s': %s", <int>node_size, node, text)
    cdef error_t *error = error_new(status, line, min(<size_t>size, sizeof(line) - 1))
    error_blame(error, node, node_size)
    return error


cdef error_t *error_of_failure(const failure_t *failure, const char *node, size_t node_size) noexcept nogil:
    cdef char[400] line
    if failure.offset >= 0:
        snprintf(line, sizeof(line), b"%s (at byte %zd)", <const char *>failure.text, failure.offset)
    else:
        snprintf(line, sizeof(line), b"%s", <const char *>failure.text)
    if node_size > 0:
        return error_at(failure.status, node, node_size, line)
    return error_new(failure.status, line, strlen(line))


cdef str words_of(object exception):
    try:
        return f"{type(exception).__name__}: {exception}"
    except BaseException:        # a user's class whose __str__ fails must not take the answer with it
        return type(exception).__name__


# (status, text, details) of one of ours. A user's class may be derived from it, and have none of them.
cdef tuple parts_of(object exception):
    try:
        return int(Status(exception.status)), str(exception.message), bytes(exception.details or b"")
    except BaseException:
        return STATUS_INTERNAL, words_of(exception), b""


cdef error_t *error_of_exception(object exception) noexcept:
    cdef error_t *error
    cdef bytes text
    cdef bytes details = b""
    cdef str words
    cdef int status = STATUS_INTERNAL
    if not isinstance(exception, Exception) or isinstance(exception, StopIteration):
        # sys.exit and the like are a component's failure, not the end of whoever waits for its answer. And no future
        # takes a StopIteration.
        exception = errors.ComponentError(words_of(exception))
    if isinstance(exception, errors.Error):
        status, words, details = parts_of(exception)
    else:
        words = words_of(exception)
    text = words.encode("utf-8", "replace")
    error = error_new(status or STATUS_INTERNAL, text, len(text))
    if error != &out_of_memory:
        Py_INCREF(exception)
        error.exception = <void *>exception
        if details:
            error.details = buffer_of_bytes(details)
    return error


cdef object error_class(int status):
    if status == Status.DEADLINE_EXCEEDED:
        return errors.DeadlineError
    if status == Status.CANCELLED:
        return errors.CancelledError
    if status == Status.RESOURCE_EXHAUSTED:
        return errors.LimitError
    if status == Status.UNAVAILABLE:
        return errors.NodeError
    return errors.Error


cdef object error_to_exception(error_t *error):
    cdef object exception
    if error.exception != NULL:
        exception = <object>error.exception
    else:
        text = PyBytes_FromStringAndSize(<const char *>error.text.data, error.text.size).decode("utf-8", "replace")
        details = None
        if error.details != NULL:
            details = PyBytes_FromStringAndSize(<const char *>error.details.data, error.details.size)
        try:
            status = Status(error.status)
        except ValueError:
            status = Status.UNKNOWN
        exception = error_class(status)(text, status=status, details=details)
        if error.unreached and status == Status.UNAVAILABLE:
            exception.http_status = 500      # as Seldon's executor says it; 503 is for nodes that say so themselves
    if error.node != NULL and isinstance(exception, errors.Error) and getattr(exception, "node", None) is None:
        node = PyBytes_FromStringAndSize(<const char *>error.node.data, error.node.size)
        exception.node = node.decode("utf-8", "replace")
    error_free(error)
    return exception


cdef void error_mark_unreached(error_t *error) noexcept nogil:
    if error != &out_of_memory:
        error.unreached = True


cdef void error_blame(error_t *error, const char *node, size_t node_size) noexcept nogil:
    if error != &out_of_memory and error.node == NULL and node_size > 0:
        error.node = buffer_copy(node, node_size)


cdef void error_add_details(error_t *error, buffer_t *details) noexcept nogil:
    if error != &out_of_memory and error.details == NULL:
        error.details = details
    else:
        buffer_unref(details)


cdef void drop_exception(void *exception) noexcept with gil:
    Py_DECREF(<object>exception)


cdef void error_free(error_t *error) noexcept nogil:
    if error == NULL or error == &out_of_memory:
        return
    buffer_unref(error.text)
    buffer_unref(error.details)
    buffer_unref(error.node)
    if error.exception != NULL:
        drop_exception(error.exception)
    free(error)


cdef metadata_t *metadata_of(object headers) except? NULL:
    cdef list keep = []
    cdef nv_t[HEADERS_MAX] fields
    cdef metadata_t *metadata
    cdef bytes raw_name, raw_value
    cdef int count = 0
    for name, value in headers:
        if count == HEADERS_MAX:
            raise errors.LimitError(f"too many headers: at most {HEADERS_MAX} are passed on")
        raw_name, raw_value = field_of(name, value)
        keep.append((raw_name, raw_value))
        fields[count].name = raw_name
        fields[count].name_size = len(raw_name)
        fields[count].value = raw_value
        fields[count].value_size = len(raw_value)
        count += 1
    if count == 0:
        return NULL
    metadata = metadata_new(fields, count)
    if metadata == NULL:
        raise MemoryError()
    return metadata


cdef tuple field_of(str name, str value):
    try:
        raw_name = name.lower().encode("ascii")
        raw_value = value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError as error:
        raise errors.RequestError(f"header {name!r}: {error.object[error.start]!r} cannot be sent") from None
    if not NAME(raw_name) or not VALUE(raw_value):
        raise errors.RequestError(f"header {name!r}: {value!r} is not what HTTP/2 can carry")
    return raw_name, raw_value


cdef metadata_t *metadata_new(const nv_t *fields, int count) noexcept nogil:
    cdef size_t size = sizeof(metadata_t) + count * sizeof(nv_t)
    cdef metadata_t *metadata
    cdef char *text
    cdef int index
    for index in range(count):
        size += fields[index].name_size + fields[index].value_size
    metadata = <metadata_t *>malloc(size)
    if metadata == NULL:
        return NULL
    metadata.refs = 1
    metadata.count = count
    metadata.fields = <nv_t *>(<char *>metadata + sizeof(metadata_t))
    text = <char *>&metadata.fields[count]
    for index in range(count):
        metadata.fields[index] = fields[index]
        memcpy(text, fields[index].name, fields[index].name_size)
        metadata.fields[index].name = text
        text += fields[index].name_size
        memcpy(text, fields[index].value, fields[index].value_size)
        metadata.fields[index].value = text
        text += fields[index].value_size
    return metadata


cdef metadata_t *metadata_ref(metadata_t *metadata) noexcept nogil:
    if metadata != NULL:
        counter_add(&metadata.refs, 1)
    return metadata


cdef void metadata_unref(metadata_t *metadata) noexcept nogil:
    if metadata != NULL and counter_add(&metadata.refs, -1) == 0:
        free(metadata)


cdef class Endpoint:
    """Where a node is reached. `encoding` is what it takes, one of `executor.types.Encoding`."""

    def __cinit__(self):
        self.raw.ops = NULL
        self.raw.encoding = ENCODING_ANY
        self.raw.timeout = 0
        self.raw.inside = False
        self.raw.impl = NULL

    @property
    def encoding(self):
        return self.raw.encoding

    @property
    def timeout_s(self):
        """Seconds that one call may take; None has no bound but the request's deadline."""
        return self.raw.timeout if self.raw.timeout > 0 else None

    @timeout_s.setter
    def timeout_s(self, value):
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"timeout_s is {value!r}; allowed are numbers above 0, and None")
        self.raw.timeout = 0 if value is None else value
