"""Owns the commands of `millrace`, one module each: their options, and the settings that these become.

Must not serve, load or call anything: each module hands over to the part that does, imported only then.

A command's module has `PURPOSE` and `EPILOG` for its help, `add(parser)` for its options, and `main(parsed,
environment)`, which runs it and answers the exit status.
"""
