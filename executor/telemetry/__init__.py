"""Owns what can be seen of running processes: what is counted, how it is named, and how it is told.

Must not know how anything that is counted is done.
"""
