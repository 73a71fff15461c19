"""Owns the generated protobuf and gRPC code of the public wire contracts, and the descriptors for server reflection.

Must not be imported by the executor process, but for `descriptors`, which is plain data: a second definition of the
same messages, such as user code may bring, cannot live in one process with these. Clients, tests and benchmarks use
them. Everything here but this file and `present` is made by proto/generate.py from proto/*.proto.
"""
