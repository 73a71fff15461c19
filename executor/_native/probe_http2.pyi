"""Owns a Python face of the native HTTP/2 session, for tests and fuzzing. Must not decide anything."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from typing_extensions import Buffer

from executor._native import message
from executor._native.budget import Budget
from executor._native.pool import Pool

Field: TypeAlias = tuple[bytes, bytes]
Event: TypeAlias = tuple[Any, ...]

class Fields:
    """Headers to send, as the native side wants them."""

    def __init__(self, fields: Iterable[Field]) -> None: ...

class Session:
    """One end of a connection. `server` says which; limits are those of `limits_t`, in bytes.

    Calls on a stream raise KeyError when it is gone, RuntimeError when the session refuses them. Events are tuples:

        ("headers", stream, fields, ended)      ("message", stream, data, compressed)   ("end", stream, trailers)
        ("refused", stream, status, text)       ("close", stream, error_code)
        ("goaway", last_stream, error_code)     ("settings",)                           ("pong",)
    """

    def __init__(
        self,
        server: bool = False,
        *,
        max_streams: int = 100,
        max_header_bytes: int = 16384,
        max_message: int = 4194304,
        stream_window: int = 65535,
        connection_window: int = 65535,
        budget: Budget | None = None,
        pool: Pool | None = None,
    ) -> None: ...
    def feed(self, data: Buffer) -> list[Event]:
        """Takes bytes from the peer; returns the events since the last call. `failed` says whether it went well."""

    def admit(self) -> list[Event]:
        """Lets streams go on that wait for the budget and find room; returns the events since the last call."""

    def take_events(self) -> list[Event]:
        """Events since the last call; sending causes some too."""

    def pump(self, high_water: int = 1048576) -> int:
        """Serialises up to about `high_water` bytes; returns how many wait."""

    def pieces(self, room: int = 64) -> list[bytes]:
        """Copies of the first pieces that wait."""

    def wrote(self, size: int) -> None:
        """The peer took `size` bytes of what waits."""

    def take_output(self, high_water: int = 1048576) -> bytes:
        """Everything that can be sent now."""

    def request(self, fields: Iterable[Field], data: Buffer | message.Message | None = None, more: bool = False) -> int:
        """Opens a stream with one message, or none; returns its number."""

    def headers(self, stream: int, fields: Iterable[Field]) -> None: ...
    def send(self, stream: int, data: Buffer | message.Message) -> None:
        """Queues one message: bytes, or a `Message` to keep its gather list."""

    def end(self, stream: int, fields: Iterable[Field] = ()) -> None: ...
    def reset(self, stream: int, error_code: int = 8) -> None: ...
    def queued(self, stream: int) -> int:
        """Bytes of the stream's messages not yet framed."""

    def goaway(self, last: bool = True) -> None: ...
    def terminate(self, error_code: int) -> None: ...
    def ping(self) -> None: ...
    def close(self) -> list[Event]:
        """Ends the session, as losing the connection does; returns the last events."""

    def waits(self, stream: int) -> bool:
        """Whether the stream's message waits for the budget."""

    @property
    def unread(self) -> int:
        """Bytes that wait for the peer."""

    @property
    def held(self) -> int:
        """Bytes that came for streams that wait."""

    @property
    def room(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    @property
    def error(self) -> str: ...
    @property
    def done(self) -> bool: ...
    @property
    def wants_write(self) -> bool: ...
    @property
    def open_streams(self) -> int: ...
