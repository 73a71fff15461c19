# Owns the gRPC server side: which request goes to the flow or to Python, and how answers and errors leave.
# Must not know what RPCs mean (executor/protocol says which goes where), nor listen itself (executor/rpc/server.py).

from executor._native.buffer cimport buffer_t
from executor._native.codec cimport name_t
from executor._native.flow cimport Engine, engine_t, request_t
from executor._native.http2 cimport limits_t, stream_t
from executor._native.program cimport Program, program_t
from executor._native.transport cimport Reactor, conn_t, reactor_t, timer_t

cdef enum:
    ENTRIES_MAX = 64

# What one RPC path means.
ctypedef struct entry_t:
    name_t path
    bint native                  # goes to the flow; else to a Python handler
    int walk
    int method
    int form                     # of the request message

ctypedef struct server_t
ctypedef struct peer_t

# One client connection.
ctypedef struct peer_t:
    server_t *server
    conn_t *conn
    timer_t patience             # until its SETTINGS come
    peer_t *previous
    peer_t *next

# One RPC of a client.
ctypedef struct rpc_t:
    peer_t *peer
    stream_t *stream
    const entry_t *entry
    request_t *request           # while the flow has it
    buffer_t *body
    void *face                   # Stream of a Python handler, a reference
    bint answered
    double deadline              # 0: none
    timer_t timer                # until the flow takes the deadline over

ctypedef struct server_t:
    reactor_t *reactor
    engine_t *engine
    program_t *program
    void *face
    entry_t[64] entries
    int entry_count
    int encoding
    double default_timeout       # seconds; 0: none
    limits_t limits
    peer_t *peers
    long peer_count
    long rpcs                    # open


cdef class Server:
    cdef server_t server
    cdef Reactor reactor
    cdef Engine engine
    cdef Program program
    cdef list keep
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
    cdef object messages         # deque of bytes
    cdef size_t waiting          # bytes in it
    cdef Server server
    cdef object waiter
    cdef bint ended
    cdef bint headers_sent
    cdef object task
    cdef int wake(self) except -1
