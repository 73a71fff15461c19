"""Owns what messages say of the way a request went: meta.routing and meta.puid of an answer, the path of feedback.

Must not know how the way was chosen, nor how a codec writes it.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from executor._native.codec cimport codec_of, meta_edit_t, name_t, taken_puid_t
from executor._native.endpoint cimport error_at, error_new, error_of_failure, error_t
from executor._native.message cimport message_t, message_unref
from executor._native.program cimport ROUTING_NONE, ROUTING_ROUTED, node_t, program_t
from executor._native.request cimport request_t, step_t
from executor._native.types cimport (
    ROUTE_NONE, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED, fail, failure_clear, failure_t,
)
from executor._native.weights cimport weights_find

cdef enum:
    NODES_ON_STACK = 32


cdef inline bint is_reported(const program_t *program, const step_t *step) noexcept nogil:
    cdef const node_t *node = &program.nodes[step.index]
    if not step.visited or program.routing == ROUTING_NONE:
        return False
    if program.routing == ROUTING_ROUTED:
        return node.asks_route or node.weights != NULL or node.table != NULL
    return node.child_count > 0 or node.input >= 0


cdef message_t *edited(
    const request_t *request, message_t *answer, name_t *names, int *routes, failure_t *failure
) noexcept nogil:
    cdef const program_t *program = request.program
    cdef meta_edit_t edit
    cdef int index
    memset(&edit, 0, sizeof(edit))
    edit.nodes = names
    edit.routes = routes
    for index in range(program.count):
        if is_reported(program, &request.steps[index]):
            names[edit.count] = program.names[index]
            routes[edit.count] = request.steps[index].route
            edit.count += 1
    if program.adds_puid:
        edit.puid.data = <const char *>request.puid
        edit.puid.size = request.puid_size
    return codec_of(answer.encoding).edit_meta(answer, &edit, failure)


cdef message_t *with_routing(const request_t *request, message_t *answer, failure_t *failure) noexcept nogil:
    cdef const program_t *program = request.program
    cdef name_t[NODES_ON_STACK] few
    cdef int[NODES_ON_STACK] few_routes
    cdef message_t *result = NULL
    cdef name_t *names
    if program.routing == ROUTING_NONE and not program.adds_puid:
        return answer
    if program.count <= NODES_ON_STACK:
        result = edited(request, answer, few, few_routes, failure)
    else:
        names = <name_t *>malloc(program.count * (sizeof(name_t) + sizeof(int)))
        if names == NULL:
            fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")
        else:
            result = edited(request, answer, names, <int *>(names + program.count), failure)
            free(names)
    message_unref(answer)
    return result


cdef error_t *read_taken_path(request_t *request, message_t *feedback) noexcept nogil:
    cdef program_t *program = request.program
    cdef taken_puid_t puid
    cdef failure_t failure
    cdef error_t *error
    failure_clear(&failure)
    request.routes = <int *>malloc(program.count * sizeof(int))
    if request.routes == NULL:
        return error_new(STATUS_RESOURCE_EXHAUSTED, b"out of memory", 13)
    if codec_of(request.encoding).feedback_routes(
        feedback, program.names, program.count, request.routes, &puid, &failure
    ) < 0:
        error = error_of_failure(&failure, NULL, 0)
    else:
        error = checked_path(request, &puid)
    message_unref(puid.owner)
    return error


# Branches of routers that learn are where they are now; the error for a way that is none.
cdef error_t *checked_path(request_t *request, const taken_puid_t *puid) noexcept nogil:
    cdef program_t *program = request.program
    cdef int index
    for index in range(program.count):
        if program.nodes[index].table != NULL:
            request.routes[index] = weights_find(
                program.nodes[index].table, request.routes[index], puid.text, puid.size
            )
        if not is_way(&program.nodes[index], request.routes[index]):
            return no_such_way(program, index, request.routes[index])
    return NULL


cdef inline bint is_way(const node_t *node, int route) noexcept nogil:
    return node.child_count == 0 or ROUTE_NONE <= route < node.child_count


cdef error_t *no_such_way(const program_t *program, int index, int route) noexcept nogil:
    cdef char[160] text
    snprintf(
        text, sizeof(text), b"response.meta.routing is %d; allowed are -2 (no child), -1 (all children) and 0 to %d",
        route, program.nodes[index].child_count - 1,
    )
    return error_at(STATUS_INVALID_ARGUMENT, program.names[index].data, program.names[index].size, text)
