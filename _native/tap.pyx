"""Owns the payloads that are to be logged, by reference, until Python takes them at the end of the pass.

Must not know who logs them and where to, nor how a plan is walked.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from executor._native.endpoint cimport metadata_t
from executor._native.http2 cimport nv_t
from executor._native.message cimport (
    message_add_part, message_describe, message_new, message_t, message_unref, message_wrap,
)
from executor._native.transport cimport Reactor, reactor_add_work, reactor_drop_work, work_t

REQUEST, RESPONSE, FEEDBACK = TAP_REQUEST, TAP_RESPONSE, TAP_FEEDBACK

cdef const char *SKIP = b"seldon-skip-logging"


cdef bint tap_skips(const metadata_t *metadata) noexcept nogil:
    cdef int index
    if metadata == NULL:
        return False
    for index in range(metadata.count):
        if metadata.fields[index].name_size == 19 and memcmp(metadata.fields[index].name, SKIP, 19) == 0:
            if says_yes(&metadata.fields[index]):
                return True
    return False


cdef bint says_yes(const nv_t *field) noexcept nogil:
    return is_word(field, b"true", 4) or is_word(field, b"on", 2) or is_word(field, b"1", 1)


# Whether the value is that word, whatever the case of its letters.
cdef bint is_word(const nv_t *field, const char *word, size_t size) noexcept nogil:
    cdef size_t index
    cdef char letter
    if field.value_size != size:
        return False
    for index in range(size):
        letter = field.value[index]
        if c'A' <= letter <= c'Z':
            letter += 32
        if letter != word[index]:
            return False
    return True


cdef void tap_add(
    tap_t *tap, int node, int kind, const message_t *message, const char *puid, size_t puid_size
) noexcept nogil:
    cdef tapped_t *tapped = NULL
    if tap.count < tap.count_max and message.size <= tap.size_max - tap.size:
        tapped = <tapped_t *>malloc(sizeof(tapped_t) + puid_size)
    reactor_add_work(tap.reactor, &tap.work)
    if not tap.held:
        hold(tap)
    if tapped == NULL:
        tap.lost += 1
        return
    # A gather list of its own: threads that look at the message may make that one flat meanwhile.
    tapped.message = message_new(message.encoding, message.form)
    if tapped.message == NULL or message_add_part(tapped.message, message, 0, message.size) < 0:
        message_unref(tapped.message)
        free(tapped)
        tap.lost += 1
        return
    message_describe(tapped.message, message)
    tapped.next = NULL
    tapped.node = node
    tapped.kind = kind
    tapped.puid = <char *>tapped + sizeof(tapped_t)
    tapped.puid_size = puid_size
    memcpy(tapped.puid, puid, puid_size)
    if tap.first == NULL:
        tap.first = tapped
    else:
        tap.last.next = tapped
    tap.last = tapped
    tap.count += 1
    tap.size += message.size


# A plan that was replaced goes with the last of its requests, before what that one said is handed over.
cdef void hold(tap_t *tap) noexcept with gil:
    Py_INCREF(<object>tap.work.owner)
    tap.held = True


cdef tapped_t *take_first(tap_t *tap) noexcept nogil:
    cdef tapped_t *tapped = tap.first
    if tapped != NULL:
        tap.first = tapped.next
        tap.count -= 1
        tap.size -= tapped.message.size
    return tapped


cdef void hand_over(work_t *work) noexcept:
    cdef Tap face = <Tap>work.owner
    cdef tapped_t *tapped = take_first(&face.raw)
    cdef long lost = face.raw.lost
    cdef list batch = []
    face.raw.lost = 0
    if face.raw.held:
        face.raw.held = False
        Py_DECREF(face)          # the name above holds it until the end of this
    try:
        while tapped != NULL:
            puid = tapped.puid[:tapped.puid_size].decode("latin-1")
            batch.append((tapped.node, tapped.kind, puid, message_wrap(tapped.message)))
            free(tapped)
            tapped = take_first(&face.raw)
        face.take(batch, lost)
    except Exception as error:
        face.reactor.loop.call_exception_handler({"message": "payloads could not be logged", "exception": error})


@cython.no_gc_clear    # the reactor must outlive what is queued with it
cdef class Tap:
    """What is logged of a plan's nodes: `Tap(reactor, nodes, take, count_max=..., size_max=..., faults={})`.

    `nodes` has for each node of the plan the sum of REQUEST, RESPONSE and FEEDBACK that are wanted. At the end of a
    pass that met any of them, `take(batch, lost)` is called with a list of (number of the node, kind, puid, Message)
    and how many more there were that one of the two bounds kept out. `faults` has texts for nodes, by number, that
    cannot be logged: a request fails with it where it would be.
    """

    def __cinit__(
        self, Reactor reactor, nodes, take, long count_max=10_000, size_t size_max=64 * 1024 * 1024, faults=()
    ):
        memset(&self.raw, 0, sizeof(tap_t))
        self.reactor = reactor
        self.nodes = tuple(nodes)
        self.take = take
        self.faults = {node: text.encode() for node, text in dict(faults).items()}
        self.raw.reactor = &reactor.raw
        self.raw.count_max = count_max
        self.raw.size_max = size_max
        self.raw.work.run = hand_over
        self.raw.work.owner = <void *>self

    def __dealloc__(self):
        cdef tapped_t *tapped = take_first(&self.raw)
        if self.raw.reactor != NULL:
            reactor_drop_work(self.raw.reactor, &self.raw.work)
        while tapped != NULL:
            message_unref(tapped.message)
            free(tapped)
            tapped = take_first(&self.raw)
