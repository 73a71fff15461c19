"""Owns what Go's net/url takes for a URL, since a manifest's are held against that by Seldon's executor.

Must not say whether anything can be reached there.
"""

import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(:[0-9]*)?")
_HOST = re.compile(r"([A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>\"\x80-\U0010ffff]|%25|%[89A-Fa-f][0-9A-Fa-f])*")


def fault(url: str) -> str:
    """Why it is no URL; "" where it is one."""
    rest, _, fragment = url.partition("#")
    escape = "it has a % without two hexadecimal digits in it"
    if any(each < " " or each == "\x7f" for each in rest):
        return "it has a control character in it"
    scheme = _SCHEME.match(rest)
    if rest.startswith(":"):
        return "it begins with a colon, without a scheme"
    rest = (rest[scheme.end() :] if scheme else rest).partition("?")[0]
    if not rest.startswith("/"):
        if scheme:
            return escape if _PERCENT.search(fragment) else ""  # opaque, as mailto: is
        if ":" in rest.partition("/")[0]:
            return "it has no scheme, and a colon before its first slash"
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        wrong = _authority_fault(authority)
        if wrong:
            return wrong
        rest = slash + path
    return escape if _PERCENT.search(f"{rest} {fragment}") else ""


def _authority_fault(authority: str) -> str:
    user, _, host = authority.rpartition("@")
    if not _USER.fullmatch(user) or _PERCENT.search(user):
        return f"{user!r} is no name of a user"
    if host.startswith("["):
        inside, bracket, port = host.rpartition("]")
        if not bracket:
            return f"{host!r} has no closing bracket"
        inside = inside.partition("%25")[0]  # behind it is a zone
    else:
        inside, colon, behind = host.rpartition(":")
        inside, port = (inside, colon + behind) if colon else (host, "")
    if not _PORT.fullmatch(port):
        return f"{port!r} is no port"
    return "" if _HOST.fullmatch(inside) else f"{inside!r} is no host"
