# Owns the envelopes of seldon.protos messages: which field lies where, occurrences that merge, and edits.
# Must not look into payload values, nor touch Python objects.

from libc.stdint cimport uint32_t

from executor._native.buffer cimport buffer_t
from executor._native.codec cimport meta_edit_t, name_t, taken_puid_t
from executor._native.cursor cimport cursor_t
from executor._native.message cimport message_t
from executor._native.types cimport failure_t

# Field numbers of SeldonMessage.
cdef enum:
    MESSAGE_STATUS = 1
    MESSAGE_META = 2
    MESSAGE_DATA = 3             # from here on: the members of the oneof
    MESSAGE_BIN = 4
    MESSAGE_STR = 5
    MESSAGE_JSON = 6
    MESSAGE_CUSTOM = 7

# Field numbers of DefaultData.
cdef enum:
    DATA_NAMES = 1
    DATA_TENSOR = 2
    DATA_NDARRAY = 3
    DATA_TFTENSOR = 4

cdef enum:
    TENSOR_SHAPE = 1
    TENSOR_VALUES = 2

cdef enum:
    META_PUID = 1
    META_TAGS = 2
    META_ROUTING = 3
    META_REQUEST_PATH = 4
    META_METRICS = 5

cdef enum:
    LIST_MESSAGES = 1

cdef enum:
    FEEDBACK_REQUEST = 1
    FEEDBACK_RESPONSE = 2
    FEEDBACK_REWARD = 3
    FEEDBACK_TRUTH = 4

# A field, possibly in several occurrences: of a message field all count, of a scalar the last.
ctypedef struct piece_t:
    int count                        # occurrences
    const unsigned char *first       # tag of the first one
    const unsigned char *data        # content of the last one
    size_t size

ctypedef struct envelope_t:
    piece_t status
    piece_t meta
    int kind                         # MESSAGE_DATA … MESSAGE_CUSTOM, 0: no payload
    piece_t body                     # the payload

ctypedef struct data_t:
    int kind                         # DATA_TENSOR, DATA_NDARRAY, DATA_TFTENSOR, 0: none
    piece_t names                    # count and first only
    piece_t body

ctypedef struct feedback_t:
    piece_t request
    piece_t response
    piece_t truth
    float reward

# Where a field lies. `buffer` owns the bytes.
ctypedef struct region_t:
    buffer_t *buffer
    const unsigned char *data
    size_t size

# Finds the fields of one SeldonMessage, DefaultData or Feedback under `cursor`.
cdef int envelope_scan(cursor_t cursor, envelope_t *envelope, failure_t *failure) noexcept nogil
cdef int data_scan(cursor_t cursor, data_t *data, failure_t *failure) noexcept nogil
cdef int feedback_scan(cursor_t cursor, feedback_t *feedback, failure_t *failure) noexcept nogil
# Checks that the fields of a message follow each other properly, whatever they are.
cdef int fields_check(cursor_t cursor, failure_t *failure) noexcept nogil
# The occurrences of message field `number` in [piece.first, end), joined in a new buffer; NULL when memory is out.
# A message whose serialized pieces are joined is the merged message.
cdef buffer_t *piece_join(const piece_t *piece, const unsigned char *end, uint32_t number) noexcept nogil
# A cursor over a message field of `outer`. Sets `joined` (to be unreferenced by the caller) when it had to be joined,
# NULL otherwise; offsets then count from the joined content.
cdef int piece_enter(
    const cursor_t *outer, const piece_t *piece, uint32_t number, cursor_t *inner, buffer_t **joined,
    failure_t *failure,
) noexcept nogil

# The functions of codec_t.
cdef int seldon_scan(message_t *message, failure_t *failure) noexcept nogil
cdef message_t *seldon_edit_meta(message_t *message, const meta_edit_t *edit, failure_t *failure) noexcept nogil
cdef message_t *seldon_make_list(message_t **items, int count, failure_t *failure) noexcept nogil
cdef message_t *seldon_make_feedback(
    message_t *request, message_t *response, float reward, message_t *truth, failure_t *failure
) noexcept nogil
cdef int seldon_feedback_routes(
    message_t *feedback, const name_t *nodes, int count, int *routes, taken_puid_t *puid, failure_t *failure
) noexcept nogil
