"""Owns what the executor tells others of its work, beside answers.

Must not decide anything for a request, nor hold one up.
"""
