"""Owns what can be seen of the executor's work beside answers: what is counted, and the log of payloads.

Must not decide anything for a request, nor hold one up, nor know how anything that is counted is done.
"""
