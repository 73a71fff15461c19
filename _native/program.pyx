"""Owns the plan in native form: an immutable array of nodes that `flow` walks.

Must not hold anything of a request, nor decide what the plan has decided already.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from executor._native.buffer cimport counter_add
from executor._native.endpoint cimport Endpoint
from executor._native.meters cimport NodeMeter
from executor._native.tap cimport Tap
from executor._native.types cimport METHOD_COUNT
from executor._native.weights cimport Weights


cdef program_t *program_ref(program_t *program) noexcept nogil:
    if counter_add(&program.refs, 1) == 1:
        hold(program)
    return program


cdef void program_unref(program_t *program) noexcept nogil:
    if counter_add(&program.refs, -1) == 0:
        release(program)


# Requests in flight keep the Program alive; the GIL is only taken when the first comes and the last goes.
cdef void hold(program_t *program) noexcept with gil:
    Py_INCREF(<object>program.face)


cdef void release(program_t *program) noexcept with gil:
    Py_DECREF(<object>program.face)


cdef class Program:
    """A plan, bound to endpoints:
    `Program(nodes, endpoints, routing=0, adds_puid=False, tables=None, tap=None, meters=None,
    spans=None, owes_answer=False)`.

    `nodes` are `executor.graph.plan.PlanNode`s in depth-first order, `endpoints` one `Endpoint` or None for each.
    `routing` says what is reported in meta.routing: 0 nothing, 1 nodes that chose a branch, 2 every visited node.
    `tables` maps the index of a learning router to its `Weights`, one for each child. `tap` says which payloads are
    logged, None logs nothing; `meters` are what is counted of the nodes, one `NodeMeter` for each; `spans` what
    spans of their calls begin with, a pair for each: how it is called (0 in this process, 1 over gRPC, 2 over HTTP),
    and bytes by method. With `owes_answer`, feedback to a root that takes none is an error where what was given cannot
    be the answer; else an empty message is. Raises ValueError when a node that makes calls has no endpoint, or the tap
    or the spans are for another number of nodes.
    """

    def __cinit__(
        self, nodes, endpoints, int routing=0, bint adds_puid=False, tables=None, Tap tap=None, meters=None,
        spans=None, bint owes_answer=False
    ):
        cdef int count = len(nodes)
        cdef int places = 0
        cdef int index
        memset(&self.raw, 0, sizeof(program_t))
        self.keep = []
        if count == 0:
            raise ValueError("a program needs at least one node")
        if len(endpoints) != count:
            raise ValueError(f"{count} nodes but {len(endpoints)} endpoints")
        self.raw.nodes = <node_t *>calloc(count, sizeof(node_t))
        self.raw.names = <name_t *>calloc(count, sizeof(name_t))
        self.children_block = <int *>calloc(count, sizeof(int))
        self.weights_block = <double *>calloc(count, sizeof(double))
        if not (self.raw.nodes and self.raw.names and self.children_block and self.weights_block):
            raise MemoryError()
        self.raw.count = count
        self.raw.routing = routing
        self.raw.adds_puid = adds_puid
        self.raw.owes_answer = owes_answer
        self.raw.face = <void *>self
        for index in range(count):
            if meters is not None:
                self.keep.append(meters[index])
                self.raw.nodes[index].meter = &(<NodeMeter?>meters[index]).raw
            self.fill(index, nodes[index], endpoints[index], (tables or {}).get(index), &places)
        if tap is not None:
            self.log_to(tap)
        if spans is not None:
            self.trace(spans)

    cdef int fill(self, int index, object node, object endpoint, object table, int *places) except -1:
        cdef node_t *target = &self.raw.nodes[index]
        cdef bytes name = node.name.encode()
        cdef double total = 0
        cdef int slot
        self.keep.append(name)
        self.raw.names[index].data = name
        self.raw.names[index].size = len(name)
        target.parent = -1 if node.parent is None else node.parent
        target.child_count = len(node.children)
        target.children = self.children_block + places[0]
        target.input = -1 if node.input is None else int(node.input)
        target.asks_route = node.route is not None
        target.aggregates = node.aggregate is not None
        target.output = node.output is not None
        target.takes_feedback = bool(node.feedback)
        if node.weights is not None:
            target.weights = self.weights_block + places[0]
        for slot in range(target.child_count):
            target.children[slot] = node.children[slot]
            if target.weights != NULL:
                total += node.weights[slot]
                target.weights[slot] = total
        places[0] += target.child_count
        if table is not None:
            if len(<Weights?>table) != target.child_count:
                told = f"node '{node.name}' has {target.child_count} children, its table {len(table)} branches"
                raise ValueError(told)
            self.keep.append(table)
            target.table = &(<Weights>table).raw
        if endpoint is not None:
            self.keep.append(endpoint)
            target.endpoint = &(<Endpoint?>endpoint).raw
        elif target.input >= 0 or target.asks_route or target.aggregates or target.output or target.takes_feedback:
            raise ValueError(f"node '{node.name}' makes calls but has no endpoint")
        return 0

    cdef int log_to(self, Tap tap) except -1:
        cdef int index
        if len(tap.nodes) != self.raw.count:
            raise ValueError(f"{self.raw.count} nodes but a tap for {len(tap.nodes)}")
        self.keep.append(tap)
        self.raw.tap = &tap.raw
        for index in range(self.raw.count):
            self.raw.nodes[index].taps = tap.nodes[index]
            if index in tap.faults:
                self.raw.nodes[index].tap_fault = <const char *><bytes>tap.faults[index]
        return 0

    cdef int trace(self, object spans) except -1:
        cdef name_t *target
        cdef bytes data
        cdef int index
        if len(spans) != self.raw.count:
            raise ValueError(f"{self.raw.count} nodes but spans for {len(spans)}")
        self.spans_block = <name_t *>calloc(self.raw.count * METHOD_COUNT, sizeof(name_t))
        if self.spans_block == NULL:
            raise MemoryError()
        for index in range(self.raw.count):
            self.raw.nodes[index].kind, found = spans[index]
            self.raw.nodes[index].spans = self.spans_block + index * METHOD_COUNT
            for method, data in found.items():
                if not 0 <= int(method) < METHOD_COUNT:
                    raise ValueError(f"method {method}: there are 0 to {METHOD_COUNT - 1}")
                self.keep.append(data)
                target = &self.raw.nodes[index].spans[<int>method]
                target.data = data
                target.size = len(data)
        return 0

    def __dealloc__(self):
        free(self.spans_block)
        free(self.raw.nodes)
        free(self.raw.names)
        free(self.children_block)
        free(self.weights_block)

    def __len__(self):
        return self.raw.count

    @property
    def in_flight(self):
        """Number of requests that run on this program."""
        return self.raw.refs
