"""Owns the span of a request that the flow does not have: Python answers it, or it was refused before it ran.

Must not decide which requests are traced (`tracer`), nor write spans itself (`trail`).
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memset

from executor._native.endpoint cimport (
    error_free, error_of_exception, error_t, metadata_of, metadata_t, metadata_unref,
)
from executor._native.flow cimport Engine
from executor._native.http1 cimport Fields
from executor._native.tracer cimport Label
from executor._native.trail cimport ending_t, trail_apart, trail_end, trail_free, trail_t

from executor import errors


cdef class Errand:
    """One request: `Errand(engine, label, headers, began=0)`, where its span begins with `label`.

    `headers` are (name, value) pairs or an `http1.Fields`; of what cannot travel nothing is read. `began` is when it
    did, in seconds of `time.monotonic()`; 0 is now. `end` says how it ended, once.
    """

    cdef Engine engine           # keeps what decides and what is kept
    cdef Label label
    cdef metadata_t *metadata
    cdef trail_t *trail

    def __cinit__(self, Engine engine not None, Label label not None, headers, double began=0):
        self.engine = engine
        self.label = label
        if isinstance(headers, Fields):
            self.metadata = (<Fields>headers).metadata(b"")
        else:
            try:
                self.metadata = metadata_of(headers)
            except errors.Error:
                self.metadata = NULL
        if engine.raw.tracer != NULL:
            self.trail = trail_apart(engine.raw.tracer, &self.metadata)
        if self.trail != NULL and began > 0:
            self.trail.began = began

    def __dealloc__(self):
        trail_free(self.trail)
        metadata_unref(self.metadata)

    @property
    def headers(self):
        """What goes on to nodes: the request's own, with its span in them where it is traced."""
        cdef list found = []
        cdef int index
        for index in range(self.metadata.count if self.metadata != NULL else 0):
            field = &self.metadata.fields[index]
            found.append((
                PyBytes_FromStringAndSize(field.name, field.name_size).decode("latin-1"),
                PyBytes_FromStringAndSize(field.value, field.value_size).decode("latin-1"),
            ))
        return found

    def end(self, int status, error=None, str puid=None):
        """It was answered with this HTTP status, because of `error` where it failed."""
        cdef bytes raw = (puid or "").encode("latin-1", "replace")
        cdef error_t *failed = NULL
        cdef ending_t ending
        if self.trail == NULL:
            return
        if error is not None:
            failed = error_of_exception(error)
        memset(&ending, 0, sizeof(ending_t))
        ending.http = status
        ending.error = failed
        ending.status = failed.status if failed != NULL else 0
        ending.puid = raw
        ending.puid_size = len(raw)
        ending.metadata = self.metadata
        ending.label.data = self.label.data
        ending.label.size = len(self.label.data)
        trail_end(self.trail, NULL, &ending, NULL, 0)
        trail_free(self.trail)
        self.trail = NULL
        error_free(failed)
