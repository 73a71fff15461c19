"""Owns the load of the soak: clients of every kind, good and bad, and the check of each answer.

Must not know how the processes fare; `scene` says when an error is to be expected.
"""

import collections
import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.protobuf import json_format
from hyperframe import frame as frames
from soak.scene import Scene
from support.clients import OPTIONS, PREDICTIONS, RestClient
from support.frames import PREFACE, REQUEST, Peer, message

from executor._pb import health_pb2, health_pb2_grpc, seldon_pb2, seldon_pb2_grpc

NUMBERS = {"64 B": 8, "4 KiB": 512, "64 KiB": 8192, "1 MiB": 131_072, "4 MiB": 524_288}
SHARES = {"64 B": 50.0, "4 KiB": 30.0, "64 KiB": 15.0, "1 MiB": 3.0, "4 MiB": 0.5}
HEAVY = {**SHARES, "1 MiB": 30.0, "4 MiB": 30.0}
"""While warming up: several of the largest at once are rare otherwise, and whenever they come, pools grow."""
PATIENCE_S = 60.0
FRAME = 16_384
RENEW = 200
"""So many actions, and a client gets a connection of its own again."""
RESET = struct.pack("ii", 1, 0)
PREDICT = [(name, b"/seldon.protos.Seldon/Predict" if name == b":path" else value) for name, value in REQUEST]
NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def payload(size: str) -> Any:
    """Numbers that come back exactly, whatever they are written in on the way."""
    values = [float(index % 997) for index in range(NUMBERS[size])]
    return seldon_pb2.SeldonMessage(
        data=seldon_pb2.DefaultData(tensor=seldon_pb2.Tensor(shape=[len(values), 1], values=values))
    )


PAYLOADS = {size: payload(size) for size in NUMBERS}
TEXTS = {size: json_format.MessageToJson(PAYLOADS[size], indent=None) for size in ("64 B", "4 KiB", "64 KiB")}


class Wrong(Exception):
    """An answer that is not the one."""


class Load:
    """Threads that do one thing after the other, until the `with` block is left."""

    def __init__(self, scene: Scene, seed: int, threads: int) -> None:
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.unexpected: list[str] = []
        self._scene = scene
        self.target, self.port = scene.executor.grpc, scene.executor.http_port
        self._lock = threading.Lock()
        self.warming = True
        """Until told otherwise, large messages are common."""
        self.over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed}/{number}"),)) for number in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._run_slow))

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.counts.values())

    def statuses(self) -> dict[str, int]:
        """How many ended how."""
        with self._lock:
            found: collections.Counter[str] = collections.Counter()
            for (_, status), count in self.counts.items():
                found[status] += count
        return dict(found.most_common())

    def note(self, action: str, begun: float, allowed: set[str], status: str, text: str = "") -> None:
        """Counts how something ended; what is not allowed is an error, unless a node was out."""
        if status not in allowed:
            down = status in ("UNAVAILABLE", "500", "503") and self._scene.was_out(begun)
            if not down:
                with self._lock:
                    self.unexpected.append(f"{action}: {status} {text}"[:500])
                status = f"unexpected {status}"
            else:
                status = "node out"
        with self._lock:
            self.counts[action, status] += 1

    def _run(self, rng: random.Random) -> None:
        while not self.over.is_set():
            with contextlib.closing(Client(self)) as client:
                for _ in range(RENEW):
                    if self.over.is_set():
                        break
                    self._one(client, rng)

    def _one(self, client: "Client", rng: random.Random) -> None:
        action, allowed = rng.choices(list(ACTIONS), [ACTIONS[each] for each in ACTIONS])[0]
        begun = time.monotonic()
        try:
            status, text = action(client, rng), ""
        except grpc.RpcError as error:
            status, text = error.code().name, str(error.details())
        except Exception as error:
            status, text = type(error).__name__, str(error)
        self.note(action.__name__, begun, allowed, status, text)

    def _run_slow(self) -> None:
        while not self.over.is_set():
            begun = time.monotonic()
            try:
                status, text = slow_reader(self.target, self.over), ""
            except Exception as error:
                status, text = type(error).__name__, str(error)
            self.note("slow_reader", begun, {"OK", "stopped"}, status, text)

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self._threads:
            each.join()


class Client:
    """One client's connections."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.target = load.target
        self.channel = grpc.insecure_channel(self.target, options=[*OPTIONS, ("grpc.max_send_message_length", -1)])
        self.stub = seldon_pb2_grpc.SeldonStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self.rest = RestClient(load.port)

    def any_size(self, rng: random.Random) -> str:
        shares = HEAVY if self._load.warming else SHARES
        return rng.choices(list(shares), list(shares.values()))[0]

    def close(self) -> None:
        self.channel.close()


# --- what clients do: each answers its status -------------------------------------------------------------------


def checked(answer: Any, size: str) -> str:
    if answer.data.tensor.values != PAYLOADS[size].data.tensor.values:
        raise Wrong(f"{size} came back as {str(answer)[:200]}")
    return "OK"


def predict(client: Client, rng: random.Random) -> str:
    size = client.any_size(rng)
    return checked(client.stub.Predict(PAYLOADS[size], timeout=PATIENCE_S), size)


def predict_rest(client: Client, rng: random.Random) -> str:
    size = rng.choice(list(TEXTS))
    headers = [("Content-Type", "application/json")]
    status, _, body = client.rest.ask("POST", PREDICTIONS, TEXTS[size].encode(), headers)
    if status != 200:
        return str(status)
    return checked(json_format.ParseDict(json.loads(body), seldon_pb2.SeldonMessage()), size)


def feedback(client: Client, rng: random.Random) -> str:
    answer = client.stub.Predict(PAYLOADS["64 B"], timeout=PATIENCE_S)
    asked = seldon_pb2.Feedback(request=PAYLOADS["64 B"], response=answer, reward=rng.random())
    client.stub.SendFeedback(asked, timeout=PATIENCE_S)
    return "OK"


def watch(client: Client, rng: random.Random) -> str:
    call = client.health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
    said = next(call).status
    call.cancel()
    if said != health_pb2.HealthCheckResponse.SERVING:
        raise Wrong(f"health is {said}")
    return "OK"


def cancel(client: Client, rng: random.Random) -> str:
    size = client.any_size(rng)
    call = client.stub.Predict.future(PAYLOADS[size], timeout=PATIENCE_S)
    time.sleep(rng.random() * 0.01)
    if call.cancel():
        return "CANCELLED"
    return checked(call.result(), size)


def deadline(client: Client, rng: random.Random) -> str:
    size = client.any_size(rng)
    return checked(client.stub.Predict(PAYLOADS[size], timeout=rng.random() * 0.02), size)


def reset(client: Client, rng: random.Random) -> str:
    """Part of a request, and then the connection is reset or closed."""
    peer = Peer()
    body = message(PAYLOADS["4 KiB"].SerializeToString())
    whole = peer.preface() + peer.headers(1, PREDICT) + peer.data(1, body, end=True)
    with opened(client.target) as sock:
        sock.sendall(whole[: rng.randrange(1, len(whole) + 1)])
        if rng.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return "OK"


def garbage(client: Client, rng: random.Random) -> str:
    """Noise, at either port."""
    where = rng.choice([client.target, f"127.0.0.1:{client.rest.port}"])
    with opened(where) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(rng.choice([b"", PREFACE, b"POST / HTTP/1.1\r\n"]) + rng.randbytes(rng.randrange(2000)))
    return "OK"


def opened(target: str) -> socket.socket:
    host, _, port = target.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE_S)


def slow_reader(target: str, over: threading.Event) -> str:
    """Asks for much, and takes it in small sips."""
    peer = Peer()
    body = message(PAYLOADS["1 MiB"].SerializeToString())
    with opened(target) as sock:
        sock.sendall(peer.preface() + peer.headers(1, PREDICT))
        while not any(isinstance(one, frames.SettingsFrame) for one in sip(sock, peer)):
            pass
        # From here on the server's window is as large as it said: more than this body.
        sock.sendall(peer.settings(ack=True))
        for at in range(0, len(body), FRAME):
            sock.sendall(peer.data(1, body[at : at + FRAME], end=at + FRAME >= len(body)))
        taken = bytearray()
        while not over.is_set():
            for one in sip(sock, peer):
                if isinstance(one, frames.DataFrame):
                    taken += one.data
                    sock.sendall(peer.window(0, len(one.data)) + peer.window(1, len(one.data)))
                elif isinstance(one, frames.HeadersFrame) and "END_STREAM" in one.flags:
                    return ended(dict(peer.fields(one))[b"grpc-status"], bytes(taken))
                elif isinstance(one, frames.HeadersFrame):
                    peer.fields(one)
            time.sleep(0.02)
    return "stopped"


def sip(sock: socket.socket, peer: Peer) -> list[frames.Frame]:
    """Reads a little."""
    data = sock.recv(FRAME)
    if not data:
        raise ConnectionResetError("closed in the middle of an answer")
    found = peer.read(data)
    for one in found:
        if isinstance(one, frames.RstStreamFrame | frames.GoAwayFrame):
            raise Wrong(str(one))
    return found


def ended(status: bytes, taken: bytes) -> str:
    if status != b"0":
        return str(NAMES[int(status)])
    return checked(seldon_pb2.SeldonMessage.FromString(taken[5:]), "1 MiB")


OK = {"OK"}
ACTIONS: dict[tuple[Callable[[Client, random.Random], str], Any], float] = {}
for _action, _share, _allowed in (
    (predict, 50, OK),
    (predict_rest, 20, OK),
    (feedback, 8, OK),
    (watch, 4, OK),
    (cancel, 6, {"OK", "CANCELLED"}),
    (deadline, 6, {"OK", "DEADLINE_EXCEEDED"}),
    (reset, 4, OK),
    (garbage, 2, OK),
):
    ACTIONS[_action, frozenset(_allowed)] = _share
