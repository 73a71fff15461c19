# Owns what the load generator of the benchmarks is made of: connections, requests under way, histograms.
# Must not know what is measured, nor when a request is sent.

from libc.stdint cimport uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.uio cimport iovec

from executor._native.buffer cimport buffer_t
from executor._native.http2 cimport nv_t, session_t

cdef extern from *:
    """
    #include <string.h>
    #include <strings.h>
    #include <sys/select.h>
    #include <sys/socket.h>
    static int lead_bits(unsigned long long v) { return v ? 64 - __builtin_clzll(v) : 0; }
    """
    int lead_bits(uint64_t value) noexcept nogil
    void *memmem(const void *data, size_t size, const void *part, size_t part_size) noexcept nogil
    int strncasecmp(const char *a, const char *b, size_t size) noexcept nogil
    ctypedef struct fd_set:
        pass
    int FD_SETSIZE
    void FD_ZERO(fd_set *fds) noexcept nogil
    void FD_SET(int fd, fd_set *fds) noexcept nogil
    bint FD_ISSET(int fd, fd_set *fds) noexcept nogil
    int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const timespec *timeout, void *mask) noexcept nogil
    ssize_t recv(int fd, void *data, size_t size, int flags) noexcept nogil
    ssize_t sendmsg(int fd, const msghdr *message, int flags) noexcept nogil
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    int MSG_NOSIGNAL

cdef enum:
    GRPC = 0
    HTTP = 1
    TCP = 2

cdef enum:                       # what may be wrong with an answer
    FINE = 0
    BAD_STATUS = 1               # not OK, or not 200
    BAD_ANSWER = 2               # not the bytes that were expected, or none
    BAD_TRANSPORT = 3            # reset, connection lost
    NEVER_CAME = 4               # not answered, or not even sent, when waiting was given up
    KINDS = 5

cdef enum:
    SUB_BITS = 7                 # 128 buckets between a power of two and the next: values are off by 0.4 % at most
    TOP_SHIFT = 34               # 2**42 ns, more than an hour
    BUCKETS = ((TOP_SHIFT + 2) << SUB_BITS)
    READ_BYTES = 256 << 10
    HIGH_WATER = 1 << 20
    PIECES = 64
    ACCEPTED_MAX = 8
    SAMPLES_MAX = 24
    HEAD_MAX = 16 << 10          # bytes before the body of an HTTP answer
    RECORD_BYTES = 16 << 10      # of a TLS record
    PIPELINED_BYTES = 1 << 20    # of plain bytes written at once

ctypedef struct link_t
ctypedef struct load_t

ctypedef struct slot_t:          # one request under way
    double due                   # when it was meant to leave; its latency counts from here
    link_t *link
    slot_t *next                 # in its connection's queue, or among the free ones
    int answers
    int fault

ctypedef struct link_t:          # one connection
    load_t *load
    int fd
    void *veil                   # an ssl.SSLSocket, borrowed; NULL: plain
    int in_flight
    bint dirty                   # has something to send
    bint blocked                 # the socket takes no more for now
    bint lost
    session_t *session           # gRPC
    slot_t *first                # HTTP and plain bytes: answers come in this order
    slot_t *last
    size_t out_left              # bytes of requests not written yet
    size_t out_at                # place in the request
    size_t in_at                 # plain bytes: place in the answer
    unsigned char *answer        # HTTP: head and body of the answer as far as they came
    size_t answer_size
    size_t answer_room
    size_t head_size             # 0 until the head is whole
    size_t body_size

ctypedef struct load_t:
    int protocol
    link_t *links
    int link_count
    int streams
    int next_link
    int in_flight
    int lost
    slot_t *slots
    slot_t *free_slots
    const unsigned char *request         # HTTP and plain bytes
    size_t request_size
    nv_t *fields                         # gRPC
    int field_count
    void *message                        # message_t of the request
    const unsigned char *accepted[8]
    size_t accepted_size[8]
    int accepted_count
    bint keep
    buffer_t *samples[24]
    int sample_count
    unsigned char *read_buffer
    # this run
    double start
    double end
    double rate
    double last_answer
    long limit
    long sent
    long waited                  # open loop: how many found no room when they were due
    long waiting                 # index of the one that waits now, -1: none
    long answered
    long[5] faults
    char[200] first_fault
    uint64_t *latency
    uint64_t *lag                # open loop: how late the generator itself sent what had room


cdef inline double clock_now() noexcept nogil:
    cdef timespec ts
    clock_gettime(CLOCK_MONOTONIC, &ts)
    return <double>ts.tv_sec + <double>ts.tv_nsec * 1e-9


cdef inline int bucket(uint64_t value) noexcept nogil:
    cdef int shift = lead_bits(value) - SUB_BITS - 1
    if shift < 0:
        shift = 0
    elif shift > TOP_SHIFT:
        return BUCKETS - 1
    return (shift << SUB_BITS) + <int>(value >> shift)


cdef inline void record(uint64_t *histogram, double seconds) noexcept nogil:
    histogram[bucket(<uint64_t>(seconds * 1e9) if seconds > 0 else 0)] += 1


cdef void note(load_t *load, const char *what, const char *detail, int size) noexcept nogil
cdef void fault(slot_t *slot, int kind, const char *what, const char *detail, int size) noexcept nogil
# The request is over, well or not.
cdef void finish(slot_t *slot) noexcept nogil
# Makes a connection of a connected socket. False: no memory.
cdef bint link_open(link_t *link, load_t *load, int fd, void *veil) noexcept nogil
cdef void link_lose(link_t *link, const char *reason) noexcept nogil
cdef void link_read(link_t *link) noexcept nogil
cdef void link_write(link_t *link) noexcept nogil
