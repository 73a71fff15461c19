"""Owns the Python exit: endpoints whose node is a Python handler.

Must not know what handlers do, nor how a plan is walked.

A quick handler runs inline on the loop's thread, a coroutine function as a Task, a blocking one in a pool of threads. A
callback one is called inline and answers later, by itself: that is how nodes are called over HTTP, without a Task.
A job outlives its call when the caller leaves early: a Task is cancelled, a thread cannot be, so it finishes in the
background; its answer is dropped and its slot stays taken until then.
"""

import sys
import threading
import time

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.unistd cimport close, read

from executor._native.endpoint cimport (
    Endpoint, call_t, endpoint_ops_t, endpoint_t, error_at, error_free, error_new, error_of_exception, error_t,
    metadata_ref, metadata_unref,
)
from executor._native.http2 cimport nv_t
from executor._native.jobs cimport (
    ask_begun, exit_t, job_t, keep_copies, pool_drop, pool_give, pool_t, pool_take, take_message, tell,
)
from executor._native.message cimport Message, message_ref, message_t, message_unref, message_wrap
from executor._native.meters cimport meter_now
from executor._native.threads cimport (
    EFD_CLOEXEC, EFD_NONBLOCK, eventfd, pthread_cond_broadcast, pthread_cond_destroy, pthread_cond_init,
    pthread_cond_signal, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from executor._native.transport cimport Reactor, reactor_add_work, reactor_drop_work, work_t
from executor._native.types cimport (
    METHOD_COUNT, STATUS_RESOURCE_EXHAUSTED, STATUS_UNAVAILABLE, STATUS_UNIMPLEMENTED,
)

from executor import errors
from executor.types import Method

cdef enum:
    MODE_NONE = -1
    MODE_QUICK = 0
    MODE_ASYNC = 1
    MODE_BLOCKING = 2
    MODE_CALLBACK = 3

# From 3.12 a Task may start at once, in the call that makes it.
cdef bint EAGER = sys.version_info >= (3, 12)


# --- jobs ---------------------------------------------------------------------------------------

cdef void exit_start(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef exit_t *exit = <exit_t *>endpoint.impl
    cdef job_t *job = NULL
    cdef char[120] text
    if exit.modes[call.method] == MODE_NONE:
        refuse(call, STATUS_UNIMPLEMENTED, b"the component does not offer this method")
        return
    if exit.running < exit.running_max:
        job = <job_t *>calloc(1, sizeof(job_t))
    if job == NULL:
        snprintf(text, sizeof(text), b"%ld calls are running or waiting, which is the limit", exit.running)
        refuse(call, STATUS_RESOURCE_EXHAUSTED, text)
        return
    exit.running += 1
    job.exit = exit
    job.call = call
    job.method = call.method
    job.message = call.message   # handed on: the handler's may be the only reference
    call.message = NULL
    job.work.owner = job
    job.work.run = RUNS[exit.modes[call.method]]
    call.token = job
    reactor_add_work(exit.reactor, &job.work)


cdef void refuse(call_t *call, int status, const char *text) noexcept nogil:
    call.turned_away = status == STATUS_RESOURCE_EXHAUSTED
    call.complete(call, NULL, error_at(status, call.node, call.node_size, text))


cdef void exit_cancel(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef job_t *job = <job_t *>call.token
    job.call = NULL
    if job.work.queued and job.context == NULL:
        reactor_drop_work(job.exit.reactor, &job.work)
        job_over(job)            # it had not begun
    elif job.work.queued:
        return                   # answered: the delivery finds that nobody waits
    elif job.exit.modes[job.method] == MODE_CALLBACK:
        cancel_callback(job, call)
    elif job.task != NULL:
        cancel_task(job)
    elif job.exit.modes[job.method] == MODE_BLOCKING and pool_drop(<pool_t *>job.exit.pool, job, call):
        job_over(job)            # no thread had taken it: its slot is free again at once


cdef void cancel_task(job_t *job) noexcept with gil:
    (<object>job.task).cancel()


# Nothing more is heard of it: `cancel` is the handler's last word.
cdef void cancel_callback(job_t *job, call_t *call) noexcept with gil:
    cdef Pending pending = <Pending>job.context
    pending.job = NULL
    try:
        if job.task != NULL:
            (<object>job.task).cancel()
            ask_begun(job, call)
    finally:
        job_over(job)
        pending.component = None


# The job has come to its end, on the loop's thread.
cdef void job_over(job_t *job) noexcept nogil:
    job.exit.running -= 1
    message_unref(job.message)
    message_unref(job.answer)
    error_free(job.error)
    free(job.copies)
    if job.context != NULL or job.task != NULL:
        drop_references(job)
    free(job)


cdef void drop_references(job_t *job) noexcept with gil:
    Py_XDECREF(<PyObject *>job.context)
    Py_XDECREF(<PyObject *>job.task)


# Hands what the handler made of the call to whoever waits for it.
cdef void deliver(job_t *job) noexcept nogil:
    cdef call_t *call = job.call
    cdef message_t *answer = job.answer
    cdef error_t *error = job.error
    if call != NULL:
        job.answer = NULL
        job.error = NULL
        tell(job, call)
        job_over(job)
        call.complete(call, answer, error)
    else:
        job_over(job)


cdef int take_answer(job_t *job, object answer) except -1:
    cdef Component component = <Component>job.exit.face
    if not isinstance(answer, Message):
        told = f"node '{component.name}': the handler answered {type(answer).__name__}, not a Message"
        raise errors.ComponentError(told, node=component.name)
    job.answer = message_ref((<Message>answer).raw)
    return 0


cdef void run_inline(work_t *work) noexcept:
    cdef job_t *job = <job_t *>work.owner
    cdef Component component = <Component>job.exit.face
    cdef Context context = component.context_of(job.call)
    cdef Message message = None
    try:
        message = message_wrap(take_message(job))
        take_answer(job, component.handlers[job.method](message, context))
    except BaseException as exception:
        job.error = error_of_exception(exception)
    message = keep_copies(job, message)
    component.reactor.enter()    # the handler's time is not that of what comes next
    with nogil:
        deliver(job)


cdef void run_async(work_t *work) noexcept:
    cdef job_t *job = <job_t *>work.owner
    cdef Component component = <Component>job.exit.face
    cdef Context context = component.context_of(job.call)
    cdef Waiter waiter = Waiter.__new__(Waiter)
    Py_INCREF(context)
    job.context = <void *>context
    waiter.job = job
    waiter.component = component
    try:
        waiter.message = message_wrap(take_message(job))
        coroutine = component.handlers[job.method](waiter.message, context)
        if EAGER:
            task = component.task_type(coroutine, loop=component.reactor.loop, eager_start=True)
        else:
            task = component.reactor.loop.create_task(coroutine)
    except BaseException as exception:
        job.error = error_of_exception(exception)
        with nogil:
            deliver(job)
        return
    Py_INCREF(task)
    job.task = <void *>task
    if task.done():
        waiter.finished(task)
    else:
        task.add_done_callback(waiter.finished)


cdef class Waiter:
    """Waits for an async handler's Task on behalf of its job."""

    cdef job_t *job
    cdef Component component     # keeps the exit alive while the Task runs
    cdef Message message

    def finished(self, task):
        cdef job_t *job = self.job
        cdef Reactor reactor = self.component.reactor
        self.message = keep_copies(job, self.message)
        if task.cancelled():
            job.error = error_of_exception(errors.CancelledError("the handler was cancelled", node=self.component.name))
        elif task.exception() is not None:
            job.error = error_of_exception(task.exception())
        else:
            try:
                take_answer(job, task.result())
            except errors.ComponentError as error:
                job.error = error_of_exception(error)
        reactor.enter()
        with nogil:
            deliver(job)
        reactor.settle()


cdef void run_callback(work_t *work) noexcept:
    cdef job_t *job = <job_t *>work.owner
    cdef Component component = <Component>job.exit.face
    cdef Context context = component.context_of(job.call)
    cdef Pending pending = Pending.__new__(Pending)
    cdef Message message = message_wrap(take_message(job))
    pending.job = job
    pending.component = component
    Py_INCREF(pending)
    job.context = <void *>pending
    try:
        begun = component.handlers[job.method](message, context, pending)
    except BaseException as exception:
        pending.fail(exception)
        return
    if pending.component is not None:      # else the job has gone with its caller
        message = keep_copies(job, message)
    if pending.job != NULL:      # else it has answered already, or its caller left
        Py_INCREF(begun)
        job.task = <void *>begun
    elif pending.component is None and begun is not None:
        begun.cancel()           # which could not be said while the handler ran


cdef void run_delivery(work_t *work) noexcept:
    with nogil:
        deliver(<job_t *>work.owner)


cdef class Pending:
    """A call that waits for its answer: `answer` or `fail` ends it, once; what comes later or twice is dropped."""

    cdef job_t *job              # NULL once it is over
    cdef Component component     # None once its caller left

    def answer(self, Message message not None):
        """The node's answer."""
        if self.job != NULL:
            self.job.answer = message_ref(message.raw)
            keep_copies(self.job, message)
            self.end()

    def fail(self, error):
        """Why there is no answer."""
        if self.job != NULL:
            self.job.error = error_of_exception(error)
            self.end()

    # Delivered as work, so that no request moves on inside a handler or a cancel.
    cdef int end(self) except -1:
        cdef job_t *job = self.job
        cdef Reactor reactor = self.component.reactor
        self.job = NULL
        if job.task != NULL:
            ask_begun(job, job.call)
        job.work.run = run_delivery
        reactor_add_work(&reactor.raw, &job.work)
        if not reactor.settling:
            reactor.enter()
            reactor.settle()
        return 0


cdef (void (*)(work_t *) noexcept)[4] RUNS
RUNS[MODE_QUICK] = run_inline
RUNS[MODE_ASYNC] = run_async
RUNS[MODE_BLOCKING] = run_pooled
RUNS[MODE_CALLBACK] = run_callback


# --- the pool -----------------------------------------------------------------------------------

cdef void run_pooled(work_t *work) noexcept:
    cdef job_t *job = <job_t *>work.owner
    cdef Component component = <Component>job.exit.face
    cdef Context context = component.context_of(job.call)
    cdef pool_t *pool = <pool_t *>job.exit.pool
    if pool.stopped:
        job.error = error_at(STATUS_UNAVAILABLE, job.call.node, job.call.node_size, b"the threads have ended")
        with nogil:
            deliver(job)
        return
    Py_INCREF(context)
    job.context = <void *>context
    job.waited = meter_now()
    with nogil:
        pthread_mutex_lock(&pool.lock)
        job.next = NULL
        if pool.last == NULL:
            pool.first = job
        else:
            pool.last.next = job
        pool.last = job
        pthread_cond_signal(&pool.arrived)
        pthread_mutex_unlock(&pool.lock)


cdef void run_in_thread(job_t *job) noexcept:
    cdef Component component = <Component>job.exit.face
    cdef Message message = None
    if job.call == NULL:
        return                   # the caller left while this waited
    try:
        message = message_wrap(take_message(job))
        take_answer(job, component.handlers[job.method](message, <object>job.context))
    except BaseException as exception:
        job.error = error_of_exception(exception)
    keep_copies(job, message)


# The collector may clear what others refer to first; threads and jobs need it to the last.
@cython.no_gc_clear
cdef class Pool:
    """Threads for blocking handlers: `Pool(reactor, size)`. Handlers of all components of a process share it.

    `stop()` lets jobs that have begun come to their end and waits up to `timeout_s` for them.
    """

    def __cinit__(self, Reactor reactor, int size):
        cdef pool_t *pool
        if size < 1:
            raise ValueError(f"a pool needs at least one thread, not {size}")
        pool = <pool_t *>calloc(1, sizeof(pool_t))
        if pool == NULL:
            raise MemoryError()
        self.raw = pool
        self.reactor = reactor
        self.size = size
        pthread_mutex_init(&pool.lock, NULL)
        pthread_cond_init(&pool.arrived, NULL)
        pool.doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        if pool.doorbell < 0:
            raise OSError("no eventfd to be had: too many open files?")
        reactor.loop.add_reader(pool.doorbell, self._answered)
        self.threads = [
            threading.Thread(target=self._work, name=f"component-{number}", daemon=True) for number in range(size)
        ]
        for thread in self.threads:
            thread.start()

    def _work(self):
        cdef pool_t *pool = <pool_t *>self.raw
        cdef job_t *job
        while True:
            with nogil:
                job = pool_take(pool)
            if job == NULL:
                return
            run_in_thread(job)
            with nogil:
                pool_give(pool, job)

    def _answered(self):
        cdef pool_t *pool = <pool_t *>self.raw
        cdef job_t *job
        cdef job_t *batch = NULL
        cdef job_t *following
        cdef unsigned long long count
        self.reactor.enter()
        with nogil:
            read(pool.doorbell, &count, 8)
            pthread_mutex_lock(&pool.lock)
            job = pool.done
            pool.done = NULL
            pthread_mutex_unlock(&pool.lock)
            while job != NULL:   # oldest first
                following = job.next
                job.next = batch
                batch = job
                job = following
            while batch != NULL:
                following = batch.next
                deliver(batch)
                batch = following
        self.reactor.settle()

    def stop(self, double timeout_s=5.0):
        """Ends the threads. Returns how many still ran user code when the time was up; those end with the process."""
        cdef pool_t *pool = <pool_t *>self.raw
        if pool.doorbell < 0:
            return 0
        with nogil:
            pthread_mutex_lock(&pool.lock)
            pool.stopped = True
            pthread_cond_broadcast(&pool.arrived)
            pthread_mutex_unlock(&pool.lock)
        due = time.monotonic() + timeout_s
        for thread in self.threads:
            thread.join(max(0.0, due - time.monotonic()))
        left = sum(thread.is_alive() for thread in self.threads)
        if not self.reactor.loop.is_closed():
            self._refuse_waiting()
            self._answered()
            # A thread that still runs may answer yet.
            if left == 0:
                self.reactor.loop.remove_reader(pool.doorbell)
        if left == 0:
            close(pool.doorbell)
            pool.doorbell = -1
        return left

    def _refuse_waiting(self):
        cdef pool_t *pool = <pool_t *>self.raw
        cdef job_t *job
        cdef job_t *following
        with nogil:
            pthread_mutex_lock(&pool.lock)
            job = pool.first
            pool.first = pool.last = NULL
            pthread_mutex_unlock(&pool.lock)
            while job != NULL:
                following = job.next
                job.error = error_new(STATUS_UNAVAILABLE, b"shutting down", 13)
                deliver(job)
                job = following

    def __dealloc__(self):
        # Threads hold a reference on the pool, so none is left when it goes.
        cdef pool_t *pool = <pool_t *>self.raw
        if pool != NULL:
            if pool.doorbell >= 0:
                close(pool.doorbell)
            pthread_mutex_destroy(&pool.lock)
            pthread_cond_destroy(&pool.arrived)
            free(pool)


# --- the Python face ----------------------------------------------------------------------------

cdef class Context:
    """What a handler may know of the request besides its message."""

    def __dealloc__(self):
        metadata_unref(self.metadata)

    @property
    def headers(self):
        """The request's metadata, or forwarded HTTP headers: a list of (name, value)."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields]

    @property
    def fields(self):
        """The same as bytes."""
        cdef list fields = []
        cdef const nv_t *field
        cdef int index
        if self.metadata != NULL:
            for index in range(self.metadata.count):
                field = &self.metadata.fields[index]
                fields.append((
                    PyBytes_FromStringAndSize(field.name, field.name_size),
                    PyBytes_FromStringAndSize(field.value, field.value_size),
                ))
        return fields

    @property
    def deadline(self):
        """When the request must be over, in seconds of `time.monotonic()`; None when it may take for ever."""
        return self.due if self.due > 0 else None

    def remaining(self):
        """Seconds left until the deadline, at least 0; None when there is none."""
        return max(0.0, self.due - time.monotonic()) if self.due > 0 else None


cdef endpoint_ops_t OPS
OPS.start = exit_start
OPS.cancel = exit_cancel


@cython.no_gc_clear
cdef class Component(Endpoint):
    """A node that Python answers for: `Component(reactor, name, handlers, pool=None, encoding=-1, running_max=1024)`.

    `handlers` maps `executor.types.Method` to (`executor.types.Mode`, handler): a function of (message, context); for
    CALLBACK of (message, context, pending), which returns something with a `cancel()`; where calls wait for a
    connection or are sent again, also with `waited` in seconds and `retries`; `status` is its answer's HTTP status, and
    `timing` what that says of the time it took. `pool` is needed when one of them is BLOCKING. `running_max` bounds the
    calls that run or wait; one more is answered RESOURCE_EXHAUSTED.
    """

    def __init__(self, Reactor reactor, str name, handlers, Pool pool=None, int encoding=-1, long running_max=1024):
        cdef int method
        import asyncio
        memset(&self.exit, 0, sizeof(exit_t))
        self.name = name
        self.reactor = reactor
        self.pool = pool
        self.task_type = asyncio.Task
        self.handlers = [None] * METHOD_COUNT
        for method in range(METHOD_COUNT):
            self.exit.modes[method] = MODE_NONE
        self.raw.inside = not any(int(mode) == MODE_CALLBACK for mode, _ in handlers.values())
        for key, (mode, handler) in handlers.items():
            if mode == MODE_BLOCKING and pool is None:
                raise ValueError(f"node '{name}': {Method(key).name} is blocking and needs a pool")
            self.exit.modes[int(key)] = int(mode)
            self.handlers[int(key)] = handler
        self.exit.reactor = &reactor.raw
        self.exit.face = <void *>self
        self.exit.pool = pool.raw if pool is not None else NULL
        self.exit.running_max = running_max
        self.raw.ops = &OPS
        self.raw.impl = &self.exit
        self.raw.encoding = encoding

    @property
    def running(self):
        """Number of calls that run or wait, those included that nobody waits for any more."""
        return self.exit.running

    cdef Context context_of(self, call_t *call):
        cdef Context context = Context.__new__(Context)
        context.component = self
        context.node = self.name
        context.method = call.method
        context.due = call.deadline
        context.puid = PyUnicode_DecodeLatin1(call.puid, call.puid_size, NULL)
        context.metadata = metadata_ref(call.metadata)
        return context
