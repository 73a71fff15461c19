# Owns client channels: the HTTP/2 connections to one endpoint and the calls on them.
# Must not know how addresses are found or connections made (executor/rpc/channels.py), nor how a plan is walked.

from executor._native.codec cimport name_t
from executor._native.endpoint cimport Endpoint
from executor._native.exchange cimport channel_t
from executor._native.transport cimport Reactor

cdef class Channel(Endpoint):
    cdef channel_t channel
    cdef Reactor reactor
    cdef list keep
    cdef readonly str target
    cdef public object on_change     # called when calls wait for a connection, and when a connection changed
    cdef int name(self, name_t *name, str text) except -1
    cdef public object on_lost       # called when one is gone: its number, why, whether it was ever ready
