"""Owns the HTTP/2 session that carries gRPC: bytes in, callbacks out; calls in, bytes out. Native callers only:
`probe_http2` is its Python face. Must not know sockets, time, asyncio or what messages mean.
"""
