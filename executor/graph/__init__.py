"""Owns what an inference graph is: the checked spec, the compiled plan, and the built-in nodes.

Must not run a graph nor know any kind of manifest; nothing here does I/O.
"""
