"""What Go's net/url takes for a URL; each of these was held against it."""

import pytest

from executor.rest import urls


@pytest.mark.parametrize(
    "url",
    [
        "", "*", "host", "a b", "/x:y", "http://h", "http://:80", "http://h:", "http:///x", "kafka://x:1", "ftp://u:p@h/",
        "logger:8080", "mailto:a b", "http://[::1]:80/", "http://[fe80::1%25eth0]:1", "///x:y/z", "http://h/%41?%zz#%41",
        "http://h%e2%80%a8", "http://é/", "HTTP://h#f", "http://a;b",
    ],
)  # fmt: skip
def test_what_is_one(url: str) -> None:
    assert urls.fault(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (":x", "begins with a colon"),
        ("10.0.0.1:80/x", "no scheme, and a colon"),
        ("1:2", "no scheme, and a colon"),
        ("http://h\r\nX: y", "control character"),
        ("http://h:port", "':port' is no port"),
        ("http://a:b:c", "':c' is no port"),
        ("http://[::1", "no closing bracket"),
        ("http://[::1]x", "'x' is no port"),
        ("http://a b/", "'a b' is no host"),
        ("http://h%41/", "'h%41' is no host"),
        ("http://h%zz/", "'h%zz' is no host"),
        ("http://a b@h/", "'a b' is no name of a user"),
        ("http://h/%zz", "a % without two"),
        ("%#41", "a % without two"),
        ("http://h/#%", "a % without two"),
        ("mailto:a#%", "a % without two"),
    ],
)
def test_what_is_none_and_why(url: str, why: str) -> None:
    assert why in urls.fault(url)
