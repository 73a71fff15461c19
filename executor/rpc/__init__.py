"""Owns gRPC: the server, channels to nodes, and admin services, over the native data plane.

Must not know graphs or components: it is given a program to serve and targets to reach.
"""
