# Owns the gRPC server side: which request goes to the flow or to Python, and how answers and errors leave.
# Must not know what RPCs mean (executor/protocol says which goes where), nor listen itself (executor/rpc/server.py).

from executor._native.flow cimport Engine
from executor._native.journal cimport Journal
from executor._native.peer cimport entry_t, rpc_t, server_t
from executor._native.program cimport Program
from executor._native.transport cimport Reactor


cdef class Server:
    cdef server_t server
    cdef Reactor reactor
    cdef Engine engine
    cdef Program program
    cdef list keep
    cdef dict meters             # what counts RPCs, by path
    cdef Journal journal
    cdef dict labels             # what their spans begin with
    cdef dict handlers           # path → Python handler
    cdef set tasks
    cdef set streams             # of Stream, open
    cdef object draining         # a future, done when no stream is to go on for longer than it must
    cdef entry_t *add_entry(self, str path) except NULL


cdef class Stream:
    cdef rpc_t *rpc
    cdef Reactor reactor
    cdef readonly str path
    cdef readonly list headers
    cdef object messages         # deque of Memory
    cdef size_t waiting          # bytes that they take
    cdef Server server
    cdef object waiter
    cdef bint ended
    cdef bint headers_sent
    cdef object task
    cdef int wake(self) except -1
