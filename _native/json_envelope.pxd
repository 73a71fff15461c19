# Owns the envelope of seldon.protos messages as JSON text: which member lies where, and edits by gathering. No GIL.
# Must not look into payload values.

from executor._native.codec cimport meta_edit_t
from executor._native.message cimport message_t
from executor._native.types cimport failure_t

# What a SeldonMessage holds.
cdef enum:
    PAYLOAD_NONE = 0
    PAYLOAD_TENSOR = 1
    PAYLOAD_NDARRAY = 2
    PAYLOAD_TFTENSOR = 3
    PAYLOAD_BIN = 4
    PAYLOAD_STR = 5
    PAYLOAD_JSON = 6
    PAYLOAD_CUSTOM = 7

# The text of one value; `data` is NULL when the member is absent or null.
ctypedef struct member_t:
    const unsigned char *data
    size_t size

ctypedef struct opened_t:
    member_t status
    member_t meta
    int kind                         # PAYLOAD_*
    member_t body                    # the payload
    member_t names                   # of `data`

ctypedef struct opened_feedback_t:
    member_t request
    member_t response
    member_t truth
    member_t reward

# Finds the members of the SeldonMessage or Feedback in `text`, which lies in the message that begins at `start`.
# Names, strings and brackets are checked; what lies between is left to its reader. Unknown members are left alone.
# 0, or -1 with `failure` filled in.
cdef int opened_scan(
    const unsigned char *start, member_t text, opened_t *opened, failure_t *failure
) noexcept nogil
cdef int feedback_open(
    const unsigned char *start, member_t text, opened_feedback_t *opened, failure_t *failure
) noexcept nogil

# Functions of codec_t.
cdef int envelope_check(message_t *message, failure_t *failure) noexcept nogil
cdef message_t *text_edit_meta(message_t *message, const meta_edit_t *edit, failure_t *failure) noexcept nogil
cdef message_t *text_make_list(message_t **items, int count, failure_t *failure) noexcept nogil
# A Feedback by reference; messages may be NULL, and `reward` is JSON text or NULL.
cdef message_t *text_make_feedback(
    message_t *request, message_t *response, const char *reward, message_t *truth, failure_t *failure
) noexcept nogil
