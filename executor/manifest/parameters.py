"""Owns what the typed parameters of a node mean in Python.

Must not know where they are written.
"""

from executor.graph.spec import Value

_BOOLS = dict.fromkeys(("y", "yes", "t", "true", "on", "1"), True)
_BOOLS |= dict.fromkeys(("n", "no", "f", "false", "off", "0"), False)


def typed(kind: str, text: str) -> Value:
    """`text` as a parameter of type `kind`. Raises ValueError, with a message for the user, where it is none."""
    try:
        match kind:
            case "INT":
                return int(text)
            case "FLOAT" | "DOUBLE":
                return float(text)
            case "BOOL":
                return _BOOLS[text.lower()]
            case "STRING":
                return text
    except ValueError:
        wanted = "a whole number" if kind == "INT" else "a number"
        raise ValueError(f'"{text[:60]}" is no {kind}; write {wanted}') from None
    except KeyError:
        raise ValueError(f'"{text[:60]}" is no BOOL; allowed: true, false, yes, no, on, off, 1, 0') from None
    raise ValueError(f"{kind} is no parameter type; allowed: INT, FLOAT, DOUBLE, STRING, BOOL")
