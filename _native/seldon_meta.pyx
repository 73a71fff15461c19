"""Owns Meta, Metric and Status of seldon.protos: to and from dicts in their JSON form.

Must not know what the executor does with them. Enums are names in a dict, numbers where this version has no
name for them; both are accepted on the way out.
"""

from cpython.number cimport PyNumber_Index
from libc.stdint cimport int32_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod, strtof

from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.cursor cimport cursor_enter, cursor_text, raise_failure
from executor._native.seldon_envelope cimport (
    META_METRICS, META_PUID, META_REQUEST_PATH, META_ROUTING, META_TAGS, piece_enter,
)
from executor._native.seldon_value cimport (
    ENTRY_KEY, ENTRY_VALUE, entry_key, value_object, value_t, write_map, write_text,
)
from executor._native.types cimport failure_clear, failure_t
from executor._native.wire cimport WIRE_BYTES, WIRE_FIXED32, WIRE_VARINT, field_t, wire_float, wire_is, wire_next
from executor._native.writer cimport writer_close, writer_float, writer_int, writer_size

from executor import errors

cdef enum:
    STATUS_CODE = 1
    STATUS_INFO = 2
    STATUS_REASON = 3
    STATUS_STATUS = 4

cdef enum:
    METRIC_KEY = 1
    METRIC_TYPE = 2
    METRIC_VALUE = 3
    METRIC_TAGS = 4

cdef tuple METRIC_TYPES = ("COUNTER", "GAUGE", "TIMER")
cdef tuple STATUS_FLAGS = ("SUCCESS", "FAILURE")
cdef tuple META_KEYS = ("puid", "tags", "routing", "requestPath", "metrics")
cdef tuple METRIC_KEYS = ("key", "type", "value", "tags")
cdef tuple STATUS_KEYS = ("code", "info", "reason", "status")


# --- reading ---

# The next field of a message; False at the end. Raises DecodeError.
cdef inline bint next_field(cursor_t *cursor, field_t *field) except -1:
    cdef failure_t failure
    cdef int got
    failure_clear(&failure)
    got = wire_next(cursor, field, &failure)
    if got < 0:
        raise_failure(&failure)
    return got > 0


cdef cursor_t inside(const cursor_t *cursor, const field_t *field) except *:
    cdef cursor_t inner
    cdef failure_t failure
    failure_clear(&failure)
    if cursor_enter(cursor, field.data, field.size, &inner, &failure) < 0:
        raise_failure(&failure)
    return inner


cdef object enum_name(tuple names, int32_t number):
    return names[number] if 0 <= number < len(names) else number


# A float as the shortest number that reads back as the same float: 0.1 and not 0.10000000149011612.
cdef double shortest(float value) noexcept nogil:
    cdef char[32] text
    cdef int digits
    cdef double wide = value
    for digits in range(6, 10):
        snprintf(text, sizeof(text), b"%.*g", digits, wide)
        if strtof(text, NULL) == value:
            break
    return strtod(text, NULL) if value == value else wide


# The value of a map<string, Value> entry, occurrences merged.
cdef object entry_object(const cursor_t *entry, const value_t *value):
    cdef buffer_t *joined = NULL
    cdef cursor_t inner
    cdef failure_t failure
    if value.piece.count == 0:
        return None
    failure_clear(&failure)
    if piece_enter(entry, &value.piece, ENTRY_VALUE, &inner, &joined, &failure) < 0:
        raise_failure(&failure)
    try:
        return value_object(inner)
    finally:
        buffer_unref(joined)


# Reads one entry of a map into `found`: of Values, strings, or int32 numbers.
cdef int read_entry(const cursor_t *cursor, const field_t *field, dict found, int kind) except -1:
    cdef cursor_t inner = inside(cursor, field)
    cdef value_t value
    cdef str key = entry_key(inner, &value, WIRE_VARINT if kind == META_ROUTING else WIRE_BYTES)
    if kind == META_ROUTING:
        found[key] = <int32_t>value.bits if value.piece.count else 0
    elif kind == META_TAGS:
        found[key] = entry_object(&inner, &value)
    else:
        found[key] = cursor_text(&inner, value.piece.data, value.piece.size) if value.piece.count else ""
    return 0


cdef dict metric_object(cursor_t cursor):
    cdef field_t field
    cdef dict found = {"key": "", "type": METRIC_TYPES[0], "value": 0.0}
    cdef dict tags = {}
    while next_field(&cursor, &field):
        if wire_is(&field, METRIC_KEY, WIRE_BYTES):
            found["key"] = cursor_text(&cursor, field.data, field.size)
        elif wire_is(&field, METRIC_TYPE, WIRE_VARINT):
            found["type"] = enum_name(METRIC_TYPES, <int32_t>field.value)
        elif wire_is(&field, METRIC_VALUE, WIRE_FIXED32):
            found["value"] = shortest(wire_float(field.value))
        elif wire_is(&field, METRIC_TAGS, WIRE_BYTES):
            read_entry(&cursor, &field, tags, METRIC_TAGS)
            found["tags"] = tags
    return found


cdef dict meta_object(cursor_t cursor):
    cdef field_t field
    cdef dict found = {}
    while next_field(&cursor, &field):
        if field.type != WIRE_BYTES:
            continue
        if field.number == META_PUID:
            found["puid"] = cursor_text(&cursor, field.data, field.size)
        elif field.number == META_METRICS:
            found.setdefault("metrics", []).append(metric_object(inside(&cursor, &field)))
        elif META_TAGS <= field.number <= META_REQUEST_PATH:
            read_entry(&cursor, &field, found.setdefault(META_KEYS[field.number - 1], {}), field.number)
    if found.get("puid") == "":
        del found["puid"]
    return found


cdef dict status_object(cursor_t cursor):
    cdef field_t field
    cdef dict found = {"code": 0, "info": "", "reason": "", "status": STATUS_FLAGS[0]}
    while next_field(&cursor, &field):
        if wire_is(&field, STATUS_CODE, WIRE_VARINT):
            found["code"] = <int32_t>field.value
        elif wire_is(&field, STATUS_INFO, WIRE_BYTES):
            found["info"] = cursor_text(&cursor, field.data, field.size)
        elif wire_is(&field, STATUS_REASON, WIRE_BYTES):
            found["reason"] = cursor_text(&cursor, field.data, field.size)
        elif wire_is(&field, STATUS_STATUS, WIRE_VARINT):
            found["status"] = enum_name(STATUS_FLAGS, <int32_t>field.value)
    return found


# --- writing ---

cdef int check_keys(object mapping, tuple allowed, str where) except -1:
    if not isinstance(mapping, dict):
        raise errors.EncodeError(f"{where}: {type(mapping).__name__} given, a dict is needed")
    for key in mapping:
        if key not in allowed:
            raise errors.EncodeError(f"{where}: key {key!r} does not exist; allowed are {', '.join(allowed)}")
    return 0


cdef int32_t int32_of(object value, str where) except? -1:
    try:
        return PyNumber_Index(value)
    except (TypeError, OverflowError):
        raise errors.EncodeError(f"{where}: {value!r} given, a whole number of 32 bits is needed") from None


cdef int write_enum(writer_t *writer, uint32_t number, tuple names, object value, str where) except -1:
    cdef int32_t code
    if isinstance(value, str):
        if value not in names:
            raise errors.EncodeError(f"{where}: {value!r} does not exist; allowed are {', '.join(names)}")
        code = names.index(value)
    else:
        code = int32_of(value, where)
    if code != 0:
        writer_int(writer, number, code)
    return 0


# Items of a list or dict, last first.
cdef list backwards(object mapping, str where):
    if not isinstance(mapping, dict):
        raise errors.EncodeError(f"{where}: {type(mapping).__name__} given, a dict is needed")
    return list(reversed((<dict>mapping).items()))


cdef int write_strings(writer_t *writer, uint32_t number, object mapping, str where) except -1:
    cdef size_t mark
    for key, value in backwards(mapping, where):
        mark = writer_size(writer)
        write_text(writer, ENTRY_VALUE, value, where)
        write_text(writer, ENTRY_KEY, key, where)
        writer_close(writer, number, mark)
    return 0


cdef int write_routing(writer_t *writer, object mapping) except -1:
    cdef size_t mark
    for key, value in backwards(mapping, "meta.routing"):
        mark = writer_size(writer)
        writer_int(writer, ENTRY_VALUE, int32_of(value, "meta.routing"))
        write_text(writer, ENTRY_KEY, key, "meta.routing")
        writer_close(writer, META_ROUTING, mark)
    return 0


cdef int write_metric(writer_t *writer, object metric) except -1:
    cdef double value
    check_keys(metric, METRIC_KEYS, "meta.metrics")
    if metric.get("tags"):
        write_strings(writer, METRIC_TAGS, metric["tags"], "meta.metrics.tags")
    try:
        value = metric.get("value", 0.0)
    except (TypeError, ValueError, OverflowError):
        raise errors.EncodeError(f"meta.metrics: value {metric['value']!r} is no number") from None
    if value != 0.0:
        writer_float(writer, METRIC_VALUE, <float>value)
    write_enum(writer, METRIC_TYPE, METRIC_TYPES, metric.get("type", 0), "meta.metrics.type")
    if metric.get("key"):
        write_text(writer, METRIC_KEY, metric["key"], "meta.metrics.key")
    return 0


cdef int write_metrics(writer_t *writer, object metrics) except -1:
    cdef size_t mark
    if not isinstance(metrics, (list, tuple)):
        raise errors.EncodeError(f"meta.metrics: {type(metrics).__name__} given, a list is needed")
    for metric in reversed(metrics):
        mark = writer_size(writer)
        write_metric(writer, metric)
        writer_close(writer, META_METRICS, mark)
    return 0


cdef int write_meta(writer_t *writer, object meta, int depth) except -1:
    check_keys(meta, META_KEYS, "meta")
    if meta.get("metrics"):
        write_metrics(writer, meta["metrics"])
    if meta.get("requestPath"):
        write_strings(writer, META_REQUEST_PATH, meta["requestPath"], "meta.requestPath")
    if meta.get("routing"):
        write_routing(writer, meta["routing"])
    if meta.get("tags"):
        write_map(writer, META_TAGS, meta["tags"], depth, "meta.tags")
    if meta.get("puid"):
        write_text(writer, META_PUID, meta["puid"], "meta.puid")
    return 0


cdef int write_status(writer_t *writer, object status) except -1:
    check_keys(status, STATUS_KEYS, "status")
    write_enum(writer, STATUS_STATUS, STATUS_FLAGS, status.get("status", 0), "status.status")
    if status.get("reason"):
        write_text(writer, STATUS_REASON, status["reason"], "status.reason")
    if status.get("info"):
        write_text(writer, STATUS_INFO, status["info"], "status.info")
    if status.get("code"):
        writer_int(writer, STATUS_CODE, int32_of(status["code"], "status.code"))
    return 0
