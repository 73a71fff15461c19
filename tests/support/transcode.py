"""Owns the two ways between JSON and protobuf as tests call them. Must not judge what comes out."""

from executor._native import codec_face, message, seldon, seldon_json
from executor.types import Encoding, Form

CODECS = (seldon, seldon_json)
"""What must be imported for messages to change their encoding."""


def to_proto(text: str | bytes, form: Form = Form.MESSAGE) -> bytes:
    """JSON text as protobuf. Raises DecodeError."""
    data = text.encode() if isinstance(text, str) else text
    return bytes(codec_face.transcode(message.Message(data, Encoding.SELDON_JSON, form), Encoding.SELDON_PROTO))


def to_json(data: bytes, form: Form = Form.MESSAGE) -> str:
    """Protobuf as JSON text. Raises DecodeError."""
    found = codec_face.transcode(message.Message(data, Encoding.SELDON_PROTO, form), Encoding.SELDON_JSON)
    return bytes(found).decode()
