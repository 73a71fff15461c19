# Owns the TLS mover: a session's bytes through an ssl.SSLObject, between two memory BIOs.
# Must not know what the bytes mean, nor read files: contexts come ready made (executor/tls.py).

from executor._native.transport cimport conn_t, timer_t

cdef enum:
    HANDSHAKE_S = 4              # how long a handshake may take; shorter than what waits for the peer's SETTINGS


cdef class Veil:
    cdef conn_t *conn
    cdef object tls              # the SSLObject
    cdef object incoming         # MemoryBIO: from the socket
    cdef object outgoing         # MemoryBIO: for the socket
    cdef object view             # memoryview of the reactor's read buffer
    cdef bytes held              # taken out of `outgoing`, not all sent yet
    cdef Py_ssize_t sent         # of `held`
    cdef bint server
    cdef bint begun
    cdef bint open               # the handshake is done: bytes of the session may move
    cdef timer_t timer
    cdef int take(self, Py_ssize_t size) noexcept
    cdef ssize_t send(self, Py_ssize_t size) noexcept
    cdef int part(self) noexcept
    cdef bint shake(self) except -1
    cdef int read(self) except -2
    cdef ssize_t write(self, Py_ssize_t size) except -1
    cdef int flush(self) except 1
    cdef int fail(self, object error) noexcept

# The TLS end of a connection to come; `host` is the server's name for clients, None for servers.
cdef Veil veil_new(object context, object host)
# Puts it on a connection that was just opened.
cdef int veil_put(Veil veil, conn_t *conn) except -1
