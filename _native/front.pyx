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
from executor._native.meters cimport meter_copies
from executor._native.program cimport Program
from executor._native.span cimport out_t
from executor._native.tracer cimport Label
from executor._native.transport cimport Reactor, reactor_add_work, work_t

from executor import errors
from executor.status import Status

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
    cdef object timed
    cdef Label label
    cdef readonly str puid
    cdef message_t *answer
    cdef error_t *error
    cdef work_t work
    cdef str timing              # where its time went, once it is over

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
    if face.timed is not None and request.trail != NULL and request.trail.timing.size > 0:
        keep_timing(face, &request.trail.timing)
    face.answer = request.answer
    face.error = request.error
    request.answer = NULL
    request.error = NULL
    reactor_add_work(&face.reactor.raw, &face.work)


cdef int keep_timing(Request face, const out_t *timing) except -1:
    face.timing = PyBytes_FromStringAndSize(<const char *>timing.data, timing.size).decode("latin-1")
    return 0


# As the protocol's front says it. An error is made anew here, since the front is told its own later on.
cdef int code_of(request_t *request) noexcept nogil:
    return http_status_of(request)


cdef int http_status_of(request_t *request) noexcept with gil:
    cdef Request face = <Request>request.user
    if request.error == NULL and request.answer == NULL:
        return 499
    try:
        if request.error == NULL:
            asks = face.label.answer_status if face.label is not None else None
            return 200 if asks is None else asks(bytes(message_wrap(message_ref(request.answer))))
        if request.error.exception != NULL:
            error = <object>request.error.exception
        else:
            error = errors.Error("", status=Status(request.error.status))
            if request.error.unreached and error.status == Status.UNAVAILABLE:
                error.http_status = 500
            elif error.status == Status.DEADLINE_EXCEEDED:
                error = errors.DeadlineError("")
        if not isinstance(error, errors.Error):
            return 500
        if face.label is None or face.label.error_status is None:
            return error.http_status
        return face.label.error_status(error)
    except Exception:
        return 500


cdef void deliver(work_t *work) noexcept:
    cdef Request face = <Request>work.owner
    cdef message_t *answer = face.answer
    cdef error_t *error = face.error
    face.answer = NULL
    face.error = NULL
    if face.timing is not None:
        tell_timing(face)
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


cdef int tell_timing(Request face) except -1:
    try:
        face.timed(face.timing)
    except Exception as exception:
        told = {"message": "a front failed as it was told of times", "exception": exception}
        face.reactor.loop.call_exception_handler(told)
    face.timed = None            # it may hold who holds this
    return 0


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
FRONT_OPS.code = code_of


def new_puid(Engine engine):
    """A random UUID (version 4) as text."""
    cdef char[PUID_SIZE] text
    chance_uuid(&engine.raw.chance, text)
    return PyBytes_FromStringAndSize(text, PUID_SIZE).decode()


# As headers are, which it comes and goes in.
cdef bytes bytes_of(str puid):
    try:
        return puid.encode("latin-1")
    except UnicodeEncodeError as error:
        raise errors.RequestError(f"Seldon-Puid: {error.object[error.start]!r} cannot be sent in a header") from None


def submit(
    Engine engine, Program program, int walk, int method, Message message, headers, str puid, double deadline=0,
    done=None, timed=None, Label label=None
):
    """Starts a request; returns a `Request`.

    `headers` are (name, value) pairs that every node gets, or an `http1.Fields`, to which the puid is added;
    `deadline` is in seconds of `time.monotonic()`, 0 means none. `done(answer, error)` is called instead of a future
    being made, perhaps before this returns. `timed(text)` is called before it, with what says where the time went,
    where the headers ask for that. Spans of the request begin with `label`. Raises LimitError when too many requests
    run already, RequestError for a puid that no header can carry.
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
    face.timed = timed
    face.label = label
    if done is None:
        face.future = engine.reactor.loop.create_future()
    face.work.run = deliver
    face.work.owner = <void *>face
    engine.reactor.enter()
    if message.copies != NULL and program.raw.nodes[0].meter != NULL:
        meter_copies(program.raw.nodes[0].meter, message.copies)
    face.request = flow_new(
        &engine.raw, &program.raw, walk, method, message_ref(message.raw), metadata, raw_puid, len(raw_puid), deadline,
        &FRONT_OPS, <void *>face,
    )
    if face.request == NULL:
        raise errors.LimitError(f"{engine.in_flight} requests are in flight, which is the limit")
    if label is not None:
        face.request.label.data = label.data
        face.request.label.size = len(label.data)
    Py_INCREF(face)              # given back when the answer is delivered, or by cancel()
    with nogil:
        flow_start(face.request)
    engine.reactor.settle()
    return face
