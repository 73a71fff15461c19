"""What a web server's page of a folder lists."""

import pytest

from executor.storage import pages

URL = "http://h:1/models/iris/"


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("model.joblib", "model.joblib"),
        ("./model.joblib", "model.joblib"),
        ("/models/iris/model.joblib", "model.joblib"),
        ("http://h:1/models/iris/model.joblib", "model.joblib"),
        ("model.joblib#top", "model.joblib"),
        ("a%20b", "a b"),
        ("data/", "data/"),
        ("%2e%2e%2fx", "../x"),
    ],
)
def test_links_to_what_is_below(link: str, name: str) -> None:
    (found,) = pages.listed(f'<a href="{link}">x</a>', URL)
    assert pages.name_in(found, URL) == name


@pytest.mark.parametrize(
    "link",
    ["", "../", "..", "/", "/etc/passwd", "?C=N", "model?x=1", "http://other/models/iris/x", "a/b", "mailto:x@y", "#a"],
)
def test_links_to_elsewhere_are_left_out(link: str) -> None:
    assert list(pages.listed(f'<a href="{link}">x</a>', URL)) == []


def test_pages_that_are_odd() -> None:
    assert list(pages.listed("<a>no link</a><a href=x>1<a HREF='x'>2<b href=y>", URL)) == [URL + "x"]
    assert list(pages.listed("not a page <<<a", URL)) == []
