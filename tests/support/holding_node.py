"""Owns a grpcio node as a program that holds every call until it is told: how many calls may be open at once.

`/held` answers how many it holds, `/release` lets all go, now and from then on; every other path is held and echoed.
Must not import anything of the project: it stands for somebody else's process.
"""

import asyncio

import grpc

OPTIONS = (
    ("grpc.so_reuseport", 0),
    # grpcio cancels what comes faster than Python takes it, unless it may keep more.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
)


class Holding(grpc.GenericRpcHandler):
    """Holds and echoes."""

    def __init__(self) -> None:
        self.held = 0
        self._go = asyncio.Event()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        serve = {"/held": self._count, "/release": self._release}.get(details.method, self._hold)
        return grpc.unary_unary_rpc_method_handler(serve)

    async def _hold(self, data: bytes, context: object) -> bytes:
        self.held += 1
        await self._go.wait()
        self.held -= 1
        return data

    async def _count(self, data: bytes, context: object) -> bytes:
        return str(self.held).encode()

    async def _release(self, data: bytes, context: object) -> bytes:
        self._go.set()
        return b""


async def main() -> None:
    """Serves until it is killed."""
    server = grpc.aio.server(handlers=[Holding()], options=OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination(120)


if __name__ == "__main__":
    asyncio.run(main())
