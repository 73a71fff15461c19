"""Owns the stand-in for `seldon_core.utils`: helpers between messages, JSON and arrays that raw methods use.

Must not be used by the executor itself, which reads wire bytes: these work on protobuf messages.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from executor.component import raw
from executor.component.seldon_core.flask_utils import SeldonMicroserviceException
from executor.component.seldon_core.responses import construct_response as construct_response
from executor.component.seldon_core.responses import construct_response_json as construct_response_json

ENV_MODEL_IMAGE = "PREDICTIVE_UNIT_IMAGE"
ENV_MODEL_NAME = "PREDICTIVE_UNIT_ID"
_FALSE = ("0", "n", "no", "f", "false", "off", "")

# --- JSON and messages ----------------------------------------------------------------------------------------


def _parsed(content: Any, name: str) -> Any:
    json_format = raw.protobuf("json_format")
    try:
        return json_format.ParseDict(content, getattr(raw.messages(), name)())
    except json_format.ParseError as exc:
        raise SeldonMicroserviceException(f"Invalid JSON: {exc}") from exc


def json_to_seldon_message(message_json: Any) -> Any:
    """A SeldonMessage; an empty one for None."""
    return _parsed({} if message_json is None else message_json, "SeldonMessage")


def json_to_seldon_messages(message_json: Any) -> Any:
    """A SeldonMessageList, from its JSON form or a bare list."""
    return _parsed(
        {"seldonMessages": message_json} if isinstance(message_json, list) else message_json, "SeldonMessageList"
    )


def json_to_feedback(message_json: dict[str, Any]) -> Any:
    """A Feedback."""
    return _parsed(message_json, "Feedback")


def json_to_seldon_model_metadata(metadata_json: dict[str, Any]) -> Any:
    """A SeldonModelMetadata."""
    return _parsed(metadata_json, "SeldonModelMetadata")


def seldon_message_to_json(message_proto: Any) -> Any:
    """The JSON form of a message."""
    return raw.protobuf("json_format").MessageToDict(message_proto)


def seldon_messages_to_json(message_protos: Any) -> Any:
    """The JSON form of a SeldonMessageList."""
    return seldon_message_to_json(message_protos)


def feedback_to_json(message_proto: Any) -> Any:
    """The JSON form of a Feedback."""
    return seldon_message_to_json(message_proto)


# --- messages and arrays --------------------------------------------------------------------------------------


def get_data_from_proto(request: Any) -> Any:
    """The payload: an array, str, bytes, what the JSON says, or the protobuf `Any`."""
    kind = request.WhichOneof("data_oneof")
    if kind == "data":
        return grpc_datadef_to_array(request.data)
    if kind == "jsonData":
        return seldon_message_to_json(request.jsonData)
    if kind in ("binData", "strData", "customData"):
        return getattr(request, kind)
    raise SeldonMicroserviceException("Unknown data in SeldonMessage")


def get_meta_from_proto(request: Any) -> dict[str, Any]:
    """The meta in JSON form."""
    meta: dict[str, Any] = seldon_message_to_json(request.meta)
    return meta


def grpc_datadef_to_array(datadef: Any) -> Any:
    """The array in a DefaultData; an empty one where there is none."""
    kind = datadef.WhichOneof("data_oneof")
    if kind == "tensor":
        shape = list(datadef.tensor.shape)
        values = numpy.array(datadef.tensor.values)
        return values.reshape(shape) if shape else values
    if kind == "ndarray":
        return numpy.array(seldon_message_to_json(datadef.ndarray))
    if kind == "tftensor":
        return _of_tftensor(datadef.tftensor)
    return numpy.array([])


def _through_codec(message: Any) -> Any:
    from executor._native import message as native
    from executor._native import seldon

    return seldon.open(native.Message(message.SerializeToString())).array()


def _of_tftensor(tensor: Any) -> Any:
    message = raw.messages().SeldonMessage()
    message.data.tftensor.CopyFrom(tensor)
    return _through_codec(message)


def array_to_grpc_datadef(data_type: str, array: Any, names: Iterable[str] | None = None) -> Any:
    """A DefaultData of that kind: tensor, tftensor, or else ndarray."""
    array = numpy.asarray(array)
    datadef = raw.messages().DefaultData(names=[str(name) for name in names or ()])
    if data_type == "tensor":
        datadef.tensor.shape.extend(array.shape)
        datadef.tensor.values.extend(array.ravel().tolist())
    elif data_type == "tftensor":
        datadef.tftensor.CopyFrom(_tftensor(array))
    else:
        array_to_list_value(array, datadef.ndarray)
    return datadef


def _tftensor(array: Any) -> Any:
    from executor._native import seldon

    message = raw.messages().SeldonMessage.FromString(bytes(seldon.build("tftensor", array)))
    return message.data.tftensor


def array_to_list_value(array: Any, lv: Any = None) -> Any:
    """A protobuf ListValue of an array's nested lists; `lv` is filled where it is given."""
    lv = raw.protobuf("struct_pb2").ListValue() if lv is None else lv
    lv.extend(numpy.asarray(array).tolist())
    if not len(lv):
        lv.SetInParent()
    return lv


def array_to_rest_datadef(data_type: str, array: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The JSON form of a DefaultData: tensor, tftensor, or else ndarray."""
    array = numpy.asarray(array)
    datadef: dict[str, Any] = {"names": [str(name) for name in names or ()]}
    if data_type == "tensor":
        datadef["tensor"] = {"shape": list(array.shape), "values": array.ravel().tolist()}
    elif data_type == "tftensor":
        datadef["tftensor"] = seldon_message_to_json(_tftensor(array))
    else:
        datadef["ndarray"] = array.tolist()
    return datadef


# --- the parts of a request -----------------------------------------------------------------------------------


def extract_request_parts(request: Any) -> tuple[Any, dict[str, Any], Any, str | None]:
    """Payload, meta, DefaultData and kind of a SeldonMessage."""
    kind = request.WhichOneof("data_oneof")
    return get_data_from_proto(request), get_meta_from_proto(request), request.data, kind


def extract_request_parts_json(request: Any) -> tuple[Any, Any, Any, str]:
    """Payload, meta, DefaultData and kind of a SeldonMessage in JSON form."""
    if not isinstance(request, dict):
        raise SeldonMicroserviceException(f"Invalid request data type: {request}")
    meta, datadef = request.get("meta"), request.get("data")
    if "data" in request:
        return grpc_datadef_to_array(json_to_seldon_message({"data": datadef}).data), meta, datadef, "data"
    if "binData" in request:
        return base64.b64decode(request["binData"]), meta, datadef, "binData"
    for kind in ("jsonData", "strData", "customData"):
        if kind in request:
            return request[kind], meta, datadef, kind
    raise SeldonMicroserviceException(f"Invalid request data type: {request}")


def extract_feedback_request_parts(request: Any) -> tuple[Any, Any, Any, float]:
    """DefaultData and array of the request, array of the truth, and reward of a Feedback."""
    features = grpc_datadef_to_array(request.request.data)
    return request.request.data, features, grpc_datadef_to_array(request.truth.data), request.reward


# --- the environment ------------------------------------------------------------------------------------------


def getenv(*env_vars: str, default: Any = None) -> Any:
    """The first of the variables that is set."""
    return next((os.environ[name] for name in env_vars if name in os.environ), default)


def getenv_as_bool(*env_vars: str, default: bool = False) -> bool:
    """The same as a truth value."""
    value = getenv(*env_vars)
    return default if value is None else str(value).strip().lower() not in _FALSE
