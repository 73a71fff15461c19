"""Owns the way into the flow from Python: a request whose answer a future or a function gets.

Must not know what the message means. The gRPC front does not come this way: see `server`.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF

from executor._native.chance cimport chance_uuid
from executor._native.endpoint cimport error_free, error_t, error_to_exception, metadata_of, metadata_t
from executor._native.http1 cimport Fields
from executor._native.flow cimport Engine, flow_cancel, flow_new, flow_start, front_ops_t, request_t
from executor._native.message cimport Message, message_ref, message_t, message_unref, message_wrap
from executor._native.program cimport Program
from executor._native.transport cimport Reactor, reactor_add_work, work_t
from executor._native.types cimport PUID_MAX

from executor import errors

cdef enum:
    PUID_SIZE = 36


cdef class Request:
    """A request that runs: `future`, or the function given instead, gets the answer as a Message, or the error;
    `cancel()` ends it early, and nothing is heard of it then.
    """

    cdef request_t *request
    cdef Engine engine           # keeps what the request counts on
    cdef Program program
    cdef Reactor reactor
    cdef readonly object future  # None where there is a function
    cdef object done
    cdef readonly str puid
    cdef message_t *answer
    cdef error_t *error
    cdef work_t work

    def __dealloc__(self):
        message_unref(self.answer)
        error_free(self.error)

    def cancel(self):
        """Cancels the request's calls, if it still runs."""
        cdef request_t *request = self.request
        cdef bint settling = self.reactor.settling
        if self.done is not None:
            self.done = nobody
        if request != NULL:
            self.request = NULL
            self.reactor.enter()
            self.reactor.settling = True  # Python code that is called on the way must not settle in the middle
            with nogil:
                flow_cancel(request)
            self.reactor.settling = settling
            self.reactor.settle()
            Py_DECREF(self)      # the reference that the flow held


cdef void on_finish(request_t *request) noexcept nogil:
    keep_result(request)


cdef void keep_result(request_t *request) noexcept with gil:
    cdef Request face = <Request>request.user
    face.request = NULL
    face.answer = request.answer
    face.error = request.error
    request.answer = NULL
    request.error = NULL
    reactor_add_work(&face.reactor.raw, &face.work)


cdef void deliver(work_t *work) noexcept:
    cdef Request face = <Request>work.owner
    cdef message_t *answer = face.answer
    cdef error_t *error = face.error
    face.answer = NULL
    face.error = NULL
    if face.done is not None:
        tell(face, answer, error)
    elif face.future.done():
        message_unref(answer)
        error_free(error)
    elif error != NULL:
        face.future.set_exception(error_to_exception(error))
    else:
        face.future.set_result(message_wrap(answer))
    Py_DECREF(face)


def nobody(answer, error):
    """Takes the place of a function that nothing more is to be told."""


cdef void tell(Request face, message_t *answer, error_t *error) noexcept:
    try:
        if error != NULL:
            face.done(None, error_to_exception(error))
        else:
            face.done(message_wrap(answer), None)
    except BaseException as exception:
        told = {"message": "a front failed while it answered", "exception": exception}
        face.reactor.loop.call_exception_handler(told)
    face.done = nobody           # it may hold who holds this


cdef front_ops_t FRONT_OPS
FRONT_OPS.finish = on_finish


def new_puid(Engine engine):
    """A random UUID (version 4) as text."""
    cdef char[PUID_SIZE] text
    chance_uuid(&engine.raw.chance, text)
    return PyBytes_FromStringAndSize(text, PUID_SIZE).decode()


# As headers are, which it comes and goes in.
cdef bytes bytes_of(str puid):
    cdef bytes raw
    try:
        raw = puid.encode("latin-1")
    except UnicodeEncodeError as error:
        raise errors.RequestError(f"Seldon-Puid: {error.object[error.start]!r} cannot be sent in a header") from None
    if len(raw) > PUID_MAX:
        raise errors.RequestError(f"Seldon-Puid of {len(raw)} bytes: at most {PUID_MAX} are allowed")
    return raw


def submit(
    Engine engine, Program program, int walk, int method, Message message, headers, str puid, double deadline=0,
    done=None
):
    """Starts a request; returns a `Request`.

    `headers` are (name, value) pairs that every node gets, or an `http1.Fields`, to which the puid is added;
    `deadline` is in seconds of `time.monotonic()`, 0 means none. `done(answer, error)` is called instead of a future
    being made, perhaps before this returns. Raises LimitError when too many requests run already, RequestError for a
    puid of more than 256 bytes, or that no header can carry.
    """
    cdef Request face
    cdef bytes raw_puid = bytes_of(puid)
    cdef metadata_t *metadata
    if isinstance(headers, Fields):
        metadata = (<Fields>headers).metadata(raw_puid)
        if metadata == NULL:
            raise MemoryError()
    else:
        metadata = metadata_of(headers)
    face = Request.__new__(Request)
    face.engine = engine
    face.program = program
    face.reactor = engine.reactor
    face.puid = puid
    face.done = done
    if done is None:
        face.future = engine.reactor.loop.create_future()
    face.work.run = deliver
    face.work.owner = <void *>face
    engine.reactor.enter()
    face.request = flow_new(
        &engine.raw, &program.raw, walk, method, message_ref(message.raw), metadata, raw_puid, len(raw_puid), deadline,
        &FRONT_OPS, <void *>face,
    )
    if face.request == NULL:
        raise errors.LimitError(f"{engine.in_flight} requests are in flight, which is the limit")
    Py_INCREF(face)              # given back when the answer is delivered, or by cancel()
    with nogil:
        flow_start(face.request)
    engine.reactor.settle()
    return face
