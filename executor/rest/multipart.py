"""Owns multipart/form-data bodies: out comes the JSON text of the message that their fields make.

Must not do I/O, nor be used where a body can be passed on as it is.
"""

import base64
import json
from collections.abc import Iterator
from email.message import Message as Headers
from email.parser import BytesHeaderParser

from executor import errors

PARTS_MAX = 100
HEAD_BYTES_MAX = 16 * 1024
"""Of one part."""
_EXAMPLE = "fields named as a SeldonMessage's members: data, meta, jsonData, strData, or a file binData"


def json_text(body: bytes, boundary: str) -> bytes:
    """The message as JSON text, by the rules of Seldon's wrapper: every field but `strData` is JSON; of files,
    `binData` becomes base64 and any other text. Raises `errors.RequestError`.
    """
    members: dict[str, str] = {}
    for name, is_file, content in parts(body, boundary):
        if name in members:
            raise _bad(f"the field {name!r} is given twice")
        if name == "binData" and is_file:
            members[name] = json.dumps(base64.b64encode(content).decode())
        elif is_file or name == "strData":
            members[name] = json.dumps(_text(name, content))
        else:
            members[name] = _checked(name, content)
    if not members:
        raise _bad(f"there is no field; allowed are {_EXAMPLE}")
    return ("{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}").encode()


def parts(body: bytes, boundary: str) -> Iterator[tuple[str, bool, bytes]]:
    """Name, whether it is a file, and content of each part. Raises `errors.RequestError`."""
    if not boundary or len(boundary) > 70:
        raise _bad("Content-Type needs a boundary of 1 to 70 characters")
    mark = b"\r\n--" + boundary.encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(mark)
    if len(pieces) < 2:
        raise _bad(f"the boundary {boundary!r} is not in the body")
    if not pieces[-1].startswith(b"--"):
        raise _bad(f"the body does not end with --{boundary}--")
    if len(pieces) - 2 > PARTS_MAX:
        raise _bad(f"{len(pieces) - 2} parts; at most {PARTS_MAX} are allowed")
    for piece in pieces[1:-1]:
        if piece.startswith(b"--"):
            raise _bad("something follows the end of the body")
        yield _part(piece)


def _part(piece: bytes) -> tuple[str, bool, bytes]:
    head, gap, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    if not gap or not head.startswith(b"\r\n") or len(head) > HEAD_BYTES_MAX:
        raise _bad("a part has no headers, or they do not end")
    headers: Headers = BytesHeaderParser().parsebytes(head[2:])
    name = headers.get_param("name", header="content-disposition")
    if headers.get_content_disposition() != "form-data" or not isinstance(name, str) or not name:
        raise _bad("a part has no name; Content-Disposition: form-data; name=... is needed")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "7bit", "8bit"):
        raise _bad(f"field {name!r}: Content-Transfer-Encoding is not allowed")
    return name, headers.get_filename() is not None, content


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as cause:
        raise _bad(f"field {name!r} is not UTF-8 text: {cause.reason} at byte {cause.start}") from None


def _checked(name: str, content: bytes) -> str:
    text = _text(name, content)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise _bad(f"field {name!r} is not JSON: {cause}") from None
    return text


def _bad(text: str) -> errors.RequestError:
    return errors.RequestError(f"multipart/form-data: {text}", reason="MICROSERVICE_BAD_DATA")
