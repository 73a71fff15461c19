# Owns one client connection of the gRPC server and the RPCs on it: their memory, and how long a client may take.
# Must not know what is asked, nor how it is answered beyond a status.

from executor._native.buffer cimport buffer_t
from executor._native.codec cimport name_t
from executor._native.endpoint cimport error_t, metadata_t
from executor._native.flow cimport engine_t, request_t
from executor._native.http2 cimport limits_t, session_t, stream_t
from executor._native.journal cimport journal_t
from executor._native.message cimport message_t
from executor._native.meters cimport meter_t
from executor._native.program cimport program_t
from executor._native.trail cimport trail_t
from executor._native.transport cimport conn_t, reactor_t, timer_t

cdef enum:
    ENTRIES_MAX = 64

# What one RPC path means.
ctypedef struct entry_t:
    name_t path
    bint native                  # goes to the flow; else to a Python handler
    int walk
    int method
    int form                     # of the request message
    meter_t *meter               # what counts such requests; or NULL
    name_t label                 # what their spans begin with; empty: they have none

ctypedef struct server_t
ctypedef struct peer_t

# How long clients may take, and how much they may leave unread.
ctypedef struct patience_t:
    double header_s              # a header block, from its first byte
    double grace_s               # a message, before `rate` is asked of it
    double rate                  # bytes a second, of requests and of readers; 0: none is asked
    double body_s                # a request or an answer while others wait for memory; how far a reader may lag
    size_t unread_max            # bytes of answers that wait to be read, over one connection

# One client connection.
ctypedef struct peer_t:
    server_t *server
    conn_t *conn
    timer_t settings             # until its SETTINGS come
    timer_t sweep                # while it has streams, or answers on their way
    double sweep_at
    double block_at              # when the last header block began
    double read_at               # up to when it has read as fast as is asked
    size_t framed                # of the session, at that time
    size_t written
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
    trail_t *trail               # of one that a Python handler serves, where it is traced; or NULL
    bint answered
    double deadline              # 0: none
    double came                  # when its headers, then its message had come
    size_t size                  # of its message
    double began                 # when it, what is left of it, or the reading of its answer began to be waited for
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
    patience_t patience
    journal_t *journal           # what the log is told; or NULL
    peer_t *peers
    long peer_count
    long rpcs                    # open
    void (*dismiss)(rpc_t *rpc) noexcept nogil   # Python is to stop what it does for it

# What a path means; NULL: nothing.
cdef const entry_t *entry_of(server_t *server, const char *path, size_t size) noexcept nogil
# What spans of each path's requests begin with, a `Label` by path.
cdef int label_entries(server_t *server, dict labels) except -1
# A request is refused with that status before the flow has it.
cdef void count_turned_away(const rpc_t *rpc, int status) noexcept nogil
# An RPC is over: it is counted, and the log is told. `request` is what the flow had of it, or NULL; `error` is why it
# failed, or NULL; `went` are the bytes of its answer.
cdef void end_rpc(
    const rpc_t *rpc, int status, const request_t *request, const error_t *error, size_t went
) noexcept nogil
# An RPC begins that Python serves: the headers that it is told, with its span in them where it is traced. NULL when
# memory is out.
cdef metadata_t *served_apart(rpc_t *rpc) noexcept nogil
# Its client left before it was answered.
cdef void abandon_rpc(rpc_t *rpc) noexcept nogil
# Its message came compressed.
cdef void count_inflated(const rpc_t *rpc, size_t size) noexcept nogil
# The end of an RPC: a status alone.
cdef void answer_status(
    rpc_t *rpc, int status, const unsigned char *text, size_t size, const request_t *request
) noexcept nogil
# A new connection among the server's; its `conn` is set before anything moves on it. NULL when memory is out.
cdef peer_t *peer_new(server_t *server) noexcept nogil
cdef void peer_free(peer_t *peer) noexcept nogil
# It is open: its settings are waited for.
cdef void peer_opened(peer_t *peer) noexcept nogil
# The session says that its settings have come.
cdef void peer_settled(session_t *session) noexcept nogil
# The session says that a header block begins.
cdef void peer_begins(session_t *session, stream_t *stream) noexcept nogil
# Why an answer of `size` bytes may not be queued for it; NULL: it may.
cdef error_t *peer_refuses(peer_t *peer, size_t size) noexcept nogil
# Charges an answer that Python made, which is one span, to the budget, until it has left. False: there is no room.
cdef bint peer_charges(peer_t *peer, message_t *answer) noexcept nogil
