# Owns the static table of the messages that have a JSON form: fields, their two names, kinds, enum values.
# Must not do anything; transcode reads it. A new message is a few rows here and no code.
# proto/*.proto say the same; tests/native/test_transcode.py holds the two together.

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    enum {
        KIND_DOUBLE, KIND_FLOAT, KIND_INT32, KIND_INT64, KIND_UINT32, KIND_UINT64, KIND_BOOL, KIND_ENUM,
        KIND_STRING, KIND_BYTES, KIND_MESSAGE
    };
    /* RULE_ALWAYS: written in JSON even where it holds its default, since readers of JSON look for it. */
    enum { RULE_REPEATED = 1, RULE_MAP = 2, RULE_ONEOF = 4, RULE_ALWAYS = 8 };
    /* How a message is written in JSON: member by member, or in a way of its own. */
    enum { STYLE_PLAIN, STYLE_VALUE, STYLE_STRUCT, STYLE_LIST, STYLE_ANY, STYLE_WRAPPER };

    typedef struct { const char *name; int number; } choice_t;
    struct layout_t;
    typedef struct {
        int number;
        const char *name;                    /* in the .proto file */
        const char *json;                    /* in JSON, where both are read and this one is written */
        int kind;                            /* of a map: kind of its values */
        int flags;                           /* RULE_* */
        const struct layout_t *layout;       /* of KIND_MESSAGE */
        const choice_t *choices;             /* of KIND_ENUM; ends with a NULL name */
    } rule_t;
    typedef struct layout_t {
        const char *name;                    /* full name */
        int style;                           /* STYLE_* */
        int count;
        const rule_t *rules;
    } layout_t;

    enum { RULES_MAX = 17 };
    #define RULE_COUNT(rules) (int)(sizeof(rules) / sizeof(rule_t))
    #define ROW(number, name, kind, flags, layout) {number, name, name, kind, flags, layout, NULL}
    #define ROW2(number, name, json, kind, flags, layout) {number, name, json, kind, flags, layout, NULL}
    #define ENUM(number, name, choices) {number, name, name, KIND_ENUM, 0, NULL, choices}

    static const layout_t layout_value = {"google.protobuf.Value", STYLE_VALUE, 0, NULL};
    static const rule_t struct_rules[] = {ROW(1, "fields", KIND_MESSAGE, RULE_MAP, &layout_value)};
    static const layout_t layout_struct = {"google.protobuf.Struct", STYLE_STRUCT, 1, struct_rules};
    static const rule_t listvalue_rules[] = {ROW(1, "values", KIND_MESSAGE, RULE_REPEATED, &layout_value)};
    static const layout_t layout_listvalue = {"google.protobuf.ListValue", STYLE_LIST, 1, listvalue_rules};
    static const rule_t any_rules[] = {
        ROW2(1, "type_url", "typeUrl", KIND_STRING, 0, NULL),
        ROW(2, "value", KIND_BYTES, 0, NULL),
    };
    static const layout_t layout_any = {"google.protobuf.Any", STYLE_ANY, RULE_COUNT(any_rules), any_rules};
    static const layout_t layout_empty = {"google.protobuf.Empty", STYLE_PLAIN, 0, NULL};

    #define WRAPPER(label, type, kind) \\
        static const rule_t label##_rules[] = {ROW(1, "value", kind, 0, NULL)}; \\
        static const layout_t label = {"google.protobuf." type, STYLE_WRAPPER, 1, label##_rules};
    WRAPPER(layout_double, "DoubleValue", KIND_DOUBLE)
    WRAPPER(layout_float, "FloatValue", KIND_FLOAT)
    WRAPPER(layout_int64, "Int64Value", KIND_INT64)
    WRAPPER(layout_uint64, "UInt64Value", KIND_UINT64)
    WRAPPER(layout_int32, "Int32Value", KIND_INT32)
    WRAPPER(layout_uint32, "UInt32Value", KIND_UINT32)
    WRAPPER(layout_bool, "BoolValue", KIND_BOOL)
    WRAPPER(layout_string, "StringValue", KIND_STRING)
    WRAPPER(layout_bytes, "BytesValue", KIND_BYTES)

    /* --- tensorflow --- */

    #define DTYPE(name, number) {"DT_" name, number}, {"DT_" name "_REF", 100 + number}
    static const choice_t dtype_choices[] = {
        {"DT_INVALID", 0}, DTYPE("FLOAT", 1), DTYPE("DOUBLE", 2), DTYPE("INT32", 3), DTYPE("UINT8", 4),
        DTYPE("INT16", 5), DTYPE("INT8", 6), DTYPE("STRING", 7), DTYPE("COMPLEX64", 8), DTYPE("INT64", 9),
        DTYPE("BOOL", 10), DTYPE("QINT8", 11), DTYPE("QUINT8", 12), DTYPE("QINT32", 13), DTYPE("BFLOAT16", 14),
        DTYPE("QINT16", 15), DTYPE("QUINT16", 16), DTYPE("UINT16", 17), DTYPE("COMPLEX128", 18), DTYPE("HALF", 19),
        DTYPE("RESOURCE", 20), DTYPE("VARIANT", 21), DTYPE("UINT32", 22), DTYPE("UINT64", 23), {NULL, 0},
    };
    static const rule_t dim_rules[] = {
        ROW(1, "size", KIND_INT64, 0, NULL),
        ROW(2, "name", KIND_STRING, 0, NULL),
    };
    static const layout_t layout_dim =
        {"tensorflow.TensorShapeProto.Dim", STYLE_PLAIN, RULE_COUNT(dim_rules), dim_rules};
    static const rule_t shape_rules[] = {
        ROW(2, "dim", KIND_MESSAGE, RULE_REPEATED, &layout_dim),
        ROW2(3, "unknown_rank", "unknownRank", KIND_BOOL, 0, NULL),
    };
    static const layout_t layout_shape =
        {"tensorflow.TensorShapeProto", STYLE_PLAIN, RULE_COUNT(shape_rules), shape_rules};
    static const rule_t dtype_shape_rules[] = {
        ENUM(1, "dtype", dtype_choices),
        ROW(2, "shape", KIND_MESSAGE, 0, &layout_shape),
    };
    static const layout_t layout_dtype_shape =
        {"tensorflow.ResourceHandleProto.DtypeAndShape", STYLE_PLAIN, RULE_COUNT(dtype_shape_rules), dtype_shape_rules};
    static const rule_t resource_rules[] = {
        ROW(1, "device", KIND_STRING, 0, NULL),
        ROW(2, "container", KIND_STRING, 0, NULL),
        ROW(3, "name", KIND_STRING, 0, NULL),
        ROW2(4, "hash_code", "hashCode", KIND_UINT64, 0, NULL),
        ROW2(5, "maybe_type_name", "maybeTypeName", KIND_STRING, 0, NULL),
        ROW2(6, "dtypes_and_shapes", "dtypesAndShapes", KIND_MESSAGE, RULE_REPEATED, &layout_dtype_shape),
    };
    static const layout_t layout_resource =
        {"tensorflow.ResourceHandleProto", STYLE_PLAIN, RULE_COUNT(resource_rules), resource_rules};
    static const layout_t layout_variant, layout_tftensor;
    static const rule_t variant_rules[] = {
        ROW2(1, "type_name", "typeName", KIND_STRING, 0, NULL),
        ROW(2, "metadata", KIND_BYTES, 0, NULL),
        ROW(3, "tensors", KIND_MESSAGE, RULE_REPEATED, &layout_tftensor),
    };
    static const layout_t layout_variant =
        {"tensorflow.VariantTensorDataProto", STYLE_PLAIN, RULE_COUNT(variant_rules), variant_rules};
    static const rule_t tftensor_rules[] = {
        ENUM(1, "dtype", dtype_choices),
        ROW2(2, "tensor_shape", "tensorShape", KIND_MESSAGE, 0, &layout_shape),
        ROW2(3, "version_number", "versionNumber", KIND_INT32, 0, NULL),
        ROW2(4, "tensor_content", "tensorContent", KIND_BYTES, 0, NULL),
        ROW2(5, "float_val", "floatVal", KIND_FLOAT, RULE_REPEATED, NULL),
        ROW2(6, "double_val", "doubleVal", KIND_DOUBLE, RULE_REPEATED, NULL),
        ROW2(7, "int_val", "intVal", KIND_INT32, RULE_REPEATED, NULL),
        ROW2(8, "string_val", "stringVal", KIND_BYTES, RULE_REPEATED, NULL),
        ROW2(9, "scomplex_val", "scomplexVal", KIND_FLOAT, RULE_REPEATED, NULL),
        ROW2(10, "int64_val", "int64Val", KIND_INT64, RULE_REPEATED, NULL),
        ROW2(11, "bool_val", "boolVal", KIND_BOOL, RULE_REPEATED, NULL),
        ROW2(12, "dcomplex_val", "dcomplexVal", KIND_DOUBLE, RULE_REPEATED, NULL),
        ROW2(13, "half_val", "halfVal", KIND_INT32, RULE_REPEATED, NULL),
        ROW2(14, "resource_handle_val", "resourceHandleVal", KIND_MESSAGE, RULE_REPEATED, &layout_resource),
        ROW2(15, "variant_val", "variantVal", KIND_MESSAGE, RULE_REPEATED, &layout_variant),
        ROW2(16, "uint32_val", "uint32Val", KIND_UINT32, RULE_REPEATED, NULL),
        ROW2(17, "uint64_val", "uint64Val", KIND_UINT64, RULE_REPEATED, NULL),
    };
    static const layout_t layout_tftensor =
        {"tensorflow.TensorProto", STYLE_PLAIN, RULE_COUNT(tftensor_rules), tftensor_rules};

    /* --- seldon.protos --- */

    static const choice_t flag_choices[] = {{"SUCCESS", 0}, {"FAILURE", 1}, {NULL, 0}};
    static const rule_t status_rules[] = {
        ROW(1, "code", KIND_INT32, 0, NULL),
        ROW(2, "info", KIND_STRING, 0, NULL),
        ROW(3, "reason", KIND_STRING, 0, NULL),
        ENUM(4, "status", flag_choices),
    };
    static const layout_t layout_status =
        {"seldon.protos.Status", STYLE_PLAIN, RULE_COUNT(status_rules), status_rules};
    static const choice_t metric_choices[] = {{"COUNTER", 0}, {"GAUGE", 1}, {"TIMER", 2}, {NULL, 0}};
    static const rule_t metric_rules[] = {
        ROW(1, "key", KIND_STRING, 0, NULL),
        {2, "type", "type", KIND_ENUM, RULE_ALWAYS, NULL, metric_choices},
        ROW(3, "value", KIND_FLOAT, RULE_ALWAYS, NULL),
        ROW(4, "tags", KIND_STRING, RULE_MAP, NULL),
    };
    static const layout_t layout_metric =
        {"seldon.protos.Metric", STYLE_PLAIN, RULE_COUNT(metric_rules), metric_rules};
    static const rule_t meta_rules[] = {
        ROW(1, "puid", KIND_STRING, 0, NULL),
        ROW(2, "tags", KIND_MESSAGE, RULE_MAP, &layout_value),
        ROW(3, "routing", KIND_INT32, RULE_MAP, NULL),
        ROW(4, "requestPath", KIND_STRING, RULE_MAP, NULL),
        ROW(5, "metrics", KIND_MESSAGE, RULE_REPEATED, &layout_metric),
    };
    static const layout_t layout_meta = {"seldon.protos.Meta", STYLE_PLAIN, RULE_COUNT(meta_rules), meta_rules};
    static const rule_t tensor_rules[] = {
        ROW(1, "shape", KIND_INT32, RULE_REPEATED, NULL),
        ROW(2, "values", KIND_DOUBLE, RULE_REPEATED, NULL),
    };
    static const layout_t layout_tensor =
        {"seldon.protos.Tensor", STYLE_PLAIN, RULE_COUNT(tensor_rules), tensor_rules};
    static const rule_t data_rules[] = {
        ROW(1, "names", KIND_STRING, RULE_REPEATED, NULL),
        ROW(2, "tensor", KIND_MESSAGE, RULE_ONEOF, &layout_tensor),
        ROW(3, "ndarray", KIND_MESSAGE, RULE_ONEOF, &layout_listvalue),
        ROW(4, "tftensor", KIND_MESSAGE, RULE_ONEOF, &layout_tftensor),
    };
    static const layout_t layout_data = {"seldon.protos.DefaultData", STYLE_PLAIN, RULE_COUNT(data_rules), data_rules};
    static const rule_t message_rules[] = {
        ROW(1, "status", KIND_MESSAGE, 0, &layout_status),
        ROW(2, "meta", KIND_MESSAGE, 0, &layout_meta),
        ROW(3, "data", KIND_MESSAGE, RULE_ONEOF, &layout_data),
        ROW(4, "binData", KIND_BYTES, RULE_ONEOF, NULL),
        ROW(5, "strData", KIND_STRING, RULE_ONEOF, NULL),
        ROW(6, "jsonData", KIND_MESSAGE, RULE_ONEOF, &layout_value),
        ROW(7, "customData", KIND_MESSAGE, RULE_ONEOF, &layout_any),
    };
    static const layout_t layout_message =
        {"seldon.protos.SeldonMessage", STYLE_PLAIN, RULE_COUNT(message_rules), message_rules};
    static const rule_t list_rules[] = {
        ROW(1, "seldonMessages", KIND_MESSAGE, RULE_REPEATED, &layout_message),
    };
    static const layout_t layout_list =
        {"seldon.protos.SeldonMessageList", STYLE_PLAIN, RULE_COUNT(list_rules), list_rules};
    static const rule_t feedback_rules[] = {
        ROW(1, "request", KIND_MESSAGE, 0, &layout_message),
        ROW(2, "response", KIND_MESSAGE, 0, &layout_message),
        ROW(3, "reward", KIND_FLOAT, 0, NULL),
        ROW(4, "truth", KIND_MESSAGE, 0, &layout_message),
    };
    static const layout_t layout_feedback =
        {"seldon.protos.Feedback", STYLE_PLAIN, RULE_COUNT(feedback_rules), feedback_rules};

    /* What an Any may hold. */
    static const layout_t *const known_layouts[] = {
        &layout_value, &layout_struct, &layout_listvalue, &layout_any, &layout_empty, &layout_double, &layout_float,
        &layout_int64, &layout_uint64, &layout_int32, &layout_uint32, &layout_bool, &layout_string, &layout_bytes,
        &layout_tftensor, &layout_shape, &layout_status, &layout_metric, &layout_meta, &layout_tensor, &layout_data,
        &layout_message, &layout_list, &layout_feedback, NULL,
    };
    """
    enum:
        KIND_DOUBLE
        KIND_FLOAT
        KIND_INT32
        KIND_INT64
        KIND_UINT32
        KIND_UINT64
        KIND_BOOL
        KIND_ENUM
        KIND_STRING
        KIND_BYTES
        KIND_MESSAGE
        RULES_MAX
        RULE_REPEATED
        RULE_MAP
        RULE_ONEOF
        RULE_ALWAYS
        STYLE_PLAIN
        STYLE_VALUE
        STYLE_STRUCT
        STYLE_LIST
        STYLE_ANY
        STYLE_WRAPPER

    ctypedef struct choice_t:
        const char *name
        int number

    ctypedef struct layout_t:
        const char *name
        int style
        int count
        const rule_t *rules

    ctypedef struct rule_t:
        int number
        const char *name
        const char *json
        int kind
        int flags
        const layout_t *layout
        const choice_t *choices

    const layout_t layout_message
    const layout_t layout_list
    const layout_t layout_feedback
    const layout_t layout_value
    const layout_t layout_struct
    const layout_t layout_listvalue
    const layout_t **known_layouts
