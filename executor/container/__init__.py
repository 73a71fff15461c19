"""Owns what `millrace executor` is told in the container that Seldon's operator makes: flags, environment, the pod's
annotations, and the graph itself. Must not serve: all of it becomes `RunSettings`.
"""
