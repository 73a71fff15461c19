"""Owns what is written down of a request on its way: the time its nodes took, and its spans where it is traced.

Must not know in which order nodes are called (`flow`), nor what becomes of spans (`tracer`). Each span is written, in
the form in which it is sent, when its call is over: nothing of a call has to be kept for that.
"""

from libc.stdint cimport uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset, strlen

from executor._native.codec cimport name_t
from executor._native.endpoint cimport metadata_unref
from executor._native.headers cimport nv_t
from executor._native.meters cimport meter_now
from executor._native.program cimport NODE_GRPC, NODE_HTTP, node_t
from executor._native.propagation cimport context_put, context_read, metadata_get
from executor._native.span cimport (
    SPAN_ATTRIBUTE, SPAN_END, SPAN_EVENT, SPAN_ID, SPAN_PARENT, SPAN_START, SPAN_STATE, SPAN_STATUS, SPAN_TRACE_ID,
    out_bytes, out_close, out_double_attribute, out_fixed64, out_free, out_int, out_int_attribute, out_open,
    out_raw, out_text, out_text_attribute,
)
from executor._native.timing cimport timing_begin, timing_node, timing_path, timing_wanted
from executor._native.tracer cimport tracer_keep, tracer_samples, tracer_span
from executor._native.types cimport STATUS_OK

cdef enum:
    SPANS_FIELD = 2              # of ScopeSpans
    STATUS_ERROR = 2
    TYPE_MAX = 120

# gRPC's codes by number.
cdef (const char *)[17] CODES = [
    b"OK", b"CANCELLED", b"UNKNOWN", b"INVALID_ARGUMENT", b"DEADLINE_EXCEEDED", b"NOT_FOUND", b"ALREADY_EXISTS",
    b"PERMISSION_DENIED", b"RESOURCE_EXHAUSTED", b"FAILED_PRECONDITION", b"ABORTED", b"OUT_OF_RANGE",
    b"UNIMPLEMENTED", b"INTERNAL", b"UNAVAILABLE", b"DATA_LOSS", b"UNAUTHENTICATED",
]
# Those that are a server's failure: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
cdef int SERVER_FAILURES = 1 << 2 | 1 << 4 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15


# --- a request begins -----------------------------------------------------------------------------

cdef bint asks_times(const metadata_t *metadata) noexcept nogil:
    cdef const nv_t *field
    cdef int index
    if metadata == NULL:
        return False
    for index in range(metadata.count):
        field = &metadata.fields[index]
        if field.name_size == 15 and memcmp(field.name, b"millrace-timing", 15) == 0:
            return timing_wanted(field.value, field.value_size)
    return False


cdef trail_t *trail_begin(tracer_t *tracer, metadata_t **metadata, int count) noexcept nogil:
    cdef bint timed = asks_times(metadata[0])
    cdef bint traced = False
    cdef int said
    cdef context_t context
    cdef trail_t *trail
    if tracer != NULL:
        context_read(metadata[0], tracer.forms, tracer.form_count, &context)
        said = context.sampled
        traced = tracer_samples(tracer, &context)
        if not traced and context.valid and said != 0:
            refuse(tracer, metadata, &context)
    if not traced and not timed:
        return NULL
    trail = <trail_t *>calloc(1, sizeof(trail_t) + count * sizeof(place_t))
    if trail == NULL:
        return NULL              # a request goes on without
    trail.timed = timed
    trail.began = meter_now()
    trail.count = count
    trail.places = <place_t *>(trail + 1)
    if traced:
        trail.tracer = tracer
        trail.context = context
        trail.span = tracer_span(tracer)
    return trail


cdef trail_t *trail_apart(tracer_t *tracer, metadata_t **metadata) noexcept nogil:
    cdef trail_t *trail = trail_begin(tracer, metadata, 0)
    cdef metadata_t *told = NULL
    cdef context_t context
    if trail == NULL or trail.tracer == NULL:
        trail_free(trail)        # its times were asked for, which only the flow tells
        return NULL
    trail.timed = False
    context = trail.context
    context.span = trail.span
    if tracer.form_count > 0:
        told = context_put(metadata[0], tracer.forms, tracer.form_count, &context)
    if told != NULL:
        metadata_unref(metadata[0])
        metadata[0] = told
    return trail


# The caller's trace goes on without this request: nodes are told, since they could decide otherwise. Where there is no
# trace, they are told nothing: that would cost every request more than all else that tracing takes of it.
cdef void refuse(tracer_t *tracer, metadata_t **metadata, const context_t *context) noexcept nogil:
    cdef metadata_t *told = context_put(metadata[0], tracer.forms, tracer.form_count, context)
    if told != NULL:
        metadata_unref(metadata[0])
        metadata[0] = told


cdef void trail_free(trail_t *trail) noexcept nogil:
    if trail != NULL:
        out_free(&trail.out)
        out_free(&trail.timing)
        free(trail)


# --- calls ----------------------------------------------------------------------------------------

cdef metadata_t *trail_call(trail_t *trail, int index, metadata_t *metadata) noexcept nogil:
    cdef tracer_t *tracer = trail.tracer
    cdef context_t context
    cdef metadata_t *own
    if tracer == NULL:
        return metadata
    context = trail.context
    context.span = trail.places[index].span = tracer_span(tracer)
    own = context_put(metadata, tracer.forms, tracer.form_count, &context) if tracer.form_count > 0 else NULL
    return own if own != NULL else metadata


# Waiting is what it did here and what the node says that it did there; of the rest, what the node did is known.
cdef void add_time(spent_t *spent, const call_t *call, double took, bint inside) noexcept nogil:
    cdef double here = min(call.waited, took)
    cdef double there = took - here if inside else min(call.told_whole, took - here)
    cdef double queued = 0 if inside else min(call.told_queued, there)
    spent.calls += 1
    spent.whole += took
    if not inside and call.told_whole <= 0:
        spent.queued += here
        return
    spent.told = True
    spent.queued += here + queued
    spent.computed += there - queued
    spent.network += took - here - there


cdef void trail_called(
    trail_t *trail, const program_t *program, int index, const call_t *call, int status, const error_t *error,
    double began, double now
) noexcept nogil:
    cdef const node_t *node = &program.nodes[index]
    cdef const name_t *static_part = &node.spans[call.method] if node.spans != NULL else NULL
    cdef out_t *out = &trail.out
    cdef size_t mark
    cdef int code = call.told_code if node.kind == NODE_HTTP else 0
    if trail.timed:
        add_time(&trail.places[index].spent, call, now - began, node.endpoint.inside)
    if trail.tracer == NULL or static_part == NULL or static_part.size == 0:
        return
    mark = begin_span(trail, trail.places[index].span, trail.span, static_part, call.metadata, began, now)
    if call.waited > 0:
        out_double_attribute(out, SPAN_ATTRIBUTE, b"millrace.queue.seconds", 22, call.waited)
    if call.retries > 0:
        out_int_attribute(out, SPAN_ATTRIBUTE, b"millrace.retries", 16, call.retries)
    if node.kind == NODE_GRPC:
        out_int_attribute(out, SPAN_ATTRIBUTE, b"rpc.grpc.status_code", 20, status)
    elif code > 0:
        out_int_attribute(out, SPAN_ATTRIBUTE, b"http.response.status_code", 25, code)
    if status != STATUS_OK:
        # With 200 an answer came that cannot be used: that status is not why it failed.
        put_failure(trail, status, code if code >= 300 else 0, error, now, True)
    out_close(out, mark)


# --- spans ----------------------------------------------------------------------------------------

cdef inline uint64_t wall(const trail_t *trail, double when) noexcept nogil:
    return trail.tracer.offset + <uint64_t>(when * 1e9)


cdef void put_id(out_t *out, int number, uint64_t span) noexcept nogil:
    cdef unsigned char[8] raw
    cdef int index
    for index in range(8):
        raw[index] = (span >> (56 - 8 * index)) & 255
    out_bytes(out, number, raw, 8)


cdef size_t begin_span(
    trail_t *trail, uint64_t span, uint64_t parent, const name_t *static_part, const metadata_t *metadata,
    double began, double now
) noexcept nogil:
    cdef out_t *out = &trail.out
    cdef size_t mark = out_open(out, SPANS_FIELD)
    cdef size_t size = 0
    cdef const char *state = NULL
    out_bytes(out, SPAN_TRACE_ID, trail.context.trace, 16)
    put_id(out, SPAN_ID, span)
    if parent != 0:
        put_id(out, SPAN_PARENT, parent)
    if trail.context.w3c:
        state = metadata_get(metadata, b"tracestate", 10, &size)
    if state != NULL:
        out_text(out, SPAN_STATE, state, size)
    out_raw(out, static_part.data, static_part.size)
    out_fixed64(out, SPAN_START, wall(trail, began))
    out_fixed64(out, SPAN_END, wall(trail, now))
    trail.spans += 1
    return mark


# What failed: an error's kind and text, as the span's status and as an exception. `is_failure` says whether the span's
# status is an error's: what a client did wrong is none of the server's.
cdef void put_failure(
    trail_t *trail, int status, int http, const error_t *error, double now, bint is_failure
) noexcept nogil:
    cdef out_t *out = &trail.out
    cdef char[12] number
    cdef char[TYPE_MAX] kind
    cdef const char *said = CODES[status] if 0 <= status <= 16 else CODES[2]
    cdef size_t mark
    cdef const char *text = b""
    cdef size_t size = 0
    if http > 0:
        snprintf(number, sizeof(number), b"%d", http)
        said = number
    if error != NULL and error.text != NULL:
        text = <const char *>error.text.data
        size = error.text.size
    if is_failure:
        out_text_attribute(out, SPAN_ATTRIBUTE, b"error.type", 10, said, strlen(said))
        mark = out_open(out, SPAN_STATUS)
        out_text(out, 2, text, size)
        out_int(out, 3, STATUS_ERROR)
        out_close(out, mark)
    if error == NULL:
        return
    snprintf(kind, sizeof(kind), b"%s", said)
    if error.exception != NULL:
        name_type(error.exception, kind)
    mark = out_open(out, SPAN_EVENT)
    out_fixed64(out, 1, wall(trail, now))
    out_text(out, 2, b"exception", 9)
    out_text_attribute(out, 3, b"exception.type", 14, kind, strlen(kind))
    out_text_attribute(out, 3, b"exception.message", 17, text, size)
    out_close(out, mark)


cdef void name_type(void *exception, char *out) noexcept with gil:
    cdef bytes name = type(<object>exception).__qualname__.encode("utf-8", "replace")
    snprintf(out, TYPE_MAX, b"%s", <const char *>name)


# --- a request ends -------------------------------------------------------------------------------

cdef void trail_end(
    trail_t *trail, const program_t *program, const ending_t *ending, const int *path, int length
) noexcept nogil:
    cdef double now = meter_now()
    if trail.timed:
        write_times(trail, program, now - trail.began, path, length)
    if trail.tracer != NULL:
        if ending.label.size > 0:
            put_server_span(trail, ending, now)
        if trail.spans > 0:
            tracer_keep(trail.tracer, &trail.out, trail.spans)
        # Python that is told of a cancelled call may end the request at once; that call's own end comes only then.
        trail.tracer = NULL


cdef void trail_refused(tracer_t *tracer, const ending_t *ending, double began) noexcept nogil:
    cdef trail_t trail
    memset(&trail, 0, sizeof(trail_t))
    context_read(ending.metadata, tracer.forms, tracer.form_count, &trail.context)
    if not tracer_samples(tracer, &trail.context):
        return
    trail.tracer = tracer
    trail.span = tracer_span(tracer)
    trail.began = began
    put_server_span(&trail, ending, meter_now())
    tracer_keep(tracer, &trail.out, trail.spans)


cdef void put_server_span(trail_t *trail, const ending_t *ending, double now) noexcept nogil:
    cdef out_t *out = &trail.out
    cdef size_t mark = begin_span(
        trail, trail.span, trail.context.span, &ending.label, ending.metadata, trail.began, now
    )
    cdef bint failed
    if ending.puid_size > 0:
        out_text_attribute(out, SPAN_ATTRIBUTE, b"millrace.puid", 13, ending.puid, ending.puid_size)
    if ending.http > 0:
        out_int_attribute(out, SPAN_ATTRIBUTE, b"http.response.status_code", 25, ending.http)
        failed = ending.http >= 500
    else:
        out_int_attribute(out, SPAN_ATTRIBUTE, b"rpc.grpc.status_code", 20, ending.status)
        failed = (SERVER_FAILURES >> ending.status) & 1 if 0 <= ending.status <= 16 else True
    if ending.status != STATUS_OK:
        put_failure(trail, ending.status, ending.http, ending.error, now, failed or ending.untold)
    out_close(out, mark)


cdef void write_times(
    trail_t *trail, const program_t *program, double whole, const int *path, int length
) noexcept nogil:
    cdef out_t *out = &trail.timing
    cdef const name_t *name
    cdef double queued = 0
    cdef int index
    for index in range(length):
        queued += trail.places[path[index]].spent.queued
    timing_begin(out, whole, min(queued, whole))
    for index in range(length):
        name = &program.names[path[index]]
        timing_path(out, name.data, name.size, index == 0, index == length - 1)
    for index in range(trail.count):
        if trail.places[index].spent.calls > 0:
            timing_node(out, program.names[index].data, program.names[index].size, &trail.places[index].spent)
