"""Owns the TLS mover: a session's bytes through an `ssl.SSLObject`, between two memory BIOs.

Must not know what the bytes mean, nor read files: contexts come ready made (`executor.tls`).

A connection moves no byte of its session before the handshake is done and both sides have agreed on `h2`. Ciphertext
is made at most one read buffer ahead of the socket. Only what runs through here takes the GIL.
"""

import logging
import ssl

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport ECONNABORTED, EINTR, errno as c_errno
from libc.stdio cimport snprintf
from libc.string cimport memcpy
from posix.uio cimport iovec

from executor._native.http2 cimport session_feed
from executor._native.transport cimport (
    Connection, conn_close, conn_finish, conn_t, connection_veil, mover_t, timer_arm, timer_disarm, timer_t,
)

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int fd, const void *data, size_t size, int flags)
    int MSG_NOSIGNAL

log = logging.getLogger("millrace.tls")

PROTOCOL = "h2"
# What OpenSSL says when the first bytes of the peer are no TLS at all.
NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}


class NoProtocolError(Exception):
    """The handshake went well, but the peer has not agreed to speak HTTP/2."""


def words_of(error):
    """What went wrong, in OpenSSL's words without their numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    reason = getattr(error, "reason", None)
    if not reason:
        return str(error) or type(error).__name__
    text = reason.replace("_", " ").lower()
    return f"{text} (the peer does not speak TLS)" if reason in NOT_TLS else text


cdef class Veil:
    """The TLS end of one connection. Made natively; Python does not see it."""

    cdef int take(self, Py_ssize_t size) noexcept:
        try:
            self.incoming.write(self.view[:size])
            if self.open or self.shake():
                return self.read()
            return 0
        except Exception as error:
            return self.fail(error)

    cdef ssize_t send(self, Py_ssize_t size) noexcept:
        cdef ssize_t status
        try:
            status = self.flush()
            if status == 0 and not self.open:
                if not self.server and not self.begun:
                    self.shake()
                    status = self.flush()
                return status
            return self.write(size) if status == 0 else status
        except Exception as error:
            self.fail(error)
            return -ECONNABORTED

    cdef int part(self) noexcept:
        timer_disarm(self.conn.reactor, &self.timer)
        try:
            self.tls.unwrap()
        except Exception:
            pass                 # it asks for the peer's good-bye, or was never open: all the same here
        try:
            self.flush()
        except Exception as error:
            log.warning("no good-bye could be sent: %s", error)
        return 0

    cdef bint shake(self) except -1:
        """Goes on with the handshake; whether it is done."""
        self.begun = True
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        if self.tls.selected_alpn_protocol() != PROTOCOL:
            raise NoProtocolError(f"the peer did not agree to speak HTTP/2 (ALPN {PROTOCOL})")
        self.open = True
        timer_disarm(self.conn.reactor, &self.timer)
        return True

    cdef int read(self) except -2:
        """Everything that can be deciphered goes to the session."""
        cdef conn_t *conn = self.conn
        cdef Py_ssize_t size
        cdef int fed
        while not conn.closing:
            try:
                size = self.tls.read(conn.reactor.read_size, self.view)
            except ssl.SSLWantReadError:
                return 0
            if size == 0:
                conn_close(conn, b"closed by the peer", True)
                return -1
            with nogil:
                fed = session_feed(conn.session, conn.reactor.read_buffer, size)
            if fed < 0:
                conn_close(conn, conn.session.error, False)
                return -1
            if not self.incoming.pending and not self.tls.pending():
                return 0         # spares the exception that would say so
        return -1

    cdef ssize_t write(self, Py_ssize_t size) except -1:
        """Enciphers the beginning of the read buffer, where the pieces were gathered; how much of it."""
        cdef Py_ssize_t done = 0
        while done < size:
            done += self.tls.write(self.view[done:size])
        # What the socket does not take now stops the next call.
        self.flush()
        return done

    cdef int flush(self) except 1:
        """Sends what is enciphered. 0, or the negative errno of a socket that takes no more."""
        cdef ssize_t size
        while self.held is not None or self.outgoing.pending:
            if self.held is None:
                self.held = self.outgoing.read()
                self.sent = 0
            size = send(
                self.conn.fd, PyBytes_AS_STRING(self.held) + self.sent, PyBytes_GET_SIZE(self.held) - self.sent,
                MSG_NOSIGNAL,
            )
            if size < 0 and c_errno != EINTR:
                return -c_errno
            self.sent += max(size, 0)
            if self.sent == PyBytes_GET_SIZE(self.held):
                self.held = None
        return 0

    cdef int fail(self, object error) noexcept:
        """Ends the connection. A server that refuses somebody stays until its alert was read."""
        cdef bytes reason = f"TLS{'' if self.open else ' handshake'} failed: {words_of(error)}".encode()
        cdef bint refusing = self.server and not self.open
        if self.server:
            log.info("connection of a client ended: %s", reason.decode())
        try:
            self.flush()
        except Exception as failed:
            log.warning("no alert could be sent: %s", failed)
        if refusing:
            conn_finish(self.conn)
        else:
            conn_close(self.conn, reason, True)
        return -1


# --- as a mover ---------------------------------------------------------------------------------

cdef int take_under_gil(conn_t *conn, Py_ssize_t size) noexcept with gil:
    return (<Veil>conn.veil).take(size)


cdef ssize_t send_under_gil(conn_t *conn, Py_ssize_t size) noexcept with gil:
    return (<Veil>conn.veil).send(size)


cdef int mover_take(conn_t *conn, size_t size) noexcept nogil:
    return take_under_gil(conn, size)


# Pieces are often a few bytes, and each record costs: they are gathered where reading is not going on just now.
cdef ssize_t mover_send(conn_t *conn, iovec *pieces, int count) noexcept nogil:
    cdef size_t total = 0
    cdef size_t part
    cdef int index
    for index in range(count):
        part = min(pieces[index].iov_len, conn.reactor.read_size - total)
        memcpy(conn.reactor.read_buffer + total, pieces[index].iov_base, part)
        total += part
        if total == conn.reactor.read_size:
            break
    return send_under_gil(conn, total)


cdef void mover_part(conn_t *conn) noexcept with gil:
    (<Veil>conn.veil).part()


cdef mover_t MOVER
MOVER.take = mover_take
MOVER.send = mover_send
MOVER.part = mover_part


cdef void on_timeout(timer_t *timer, double now) noexcept nogil:
    cdef char[100] text
    snprintf(text, sizeof(text), b"TLS handshake failed: not complete within %d s", <int>HANDSHAKE_S)
    conn_close(<conn_t *>timer.owner, text, True)


cdef Veil veil_new(object context, object host):
    cdef Veil veil = Veil.__new__(Veil)
    veil.incoming = ssl.MemoryBIO()
    veil.outgoing = ssl.MemoryBIO()
    veil.server = host is None
    veil.tls = context.wrap_bio(veil.incoming, veil.outgoing, server_side=veil.server, server_hostname=host)
    return veil


cdef int veil_put(Veil veil, conn_t *conn) except -1:
    veil.conn = conn
    veil.view = PyMemoryView_FromMemory(<char *>conn.reactor.read_buffer, conn.reactor.read_size, PyBUF_WRITE)
    veil.timer.fire = on_timeout
    veil.timer.owner = conn
    timer_arm(conn.reactor, &veil.timer, conn.reactor.now + HANDSHAKE_S)
    connection_veil(<Connection>conn.face, &MOVER, veil)
    return 0
