"""Owns how the files of a model come here from where they are stored: listed, copied, checked and kept.

Must not know what the files are for, nor load them.
"""
