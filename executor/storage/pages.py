"""Owns how a folder is read off a web server: the links of the page that lists it, and of those below.

Must not fetch: it is given pages, and says what they list.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

DEPTH_MAX = 16


class _Links(HTMLParser):
    """Collects the targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def listed(page: str, url: str) -> Iterator[str]:
    """The URLs directly below `url`, which ends with a slash, that its `page` links to; folders end with a slash.

    Links to elsewhere are left out: a listing has some, to the folder above or for another order.
    """
    links = _Links()
    links.feed(page)
    links.close()
    seen = set()
    for link in links.found:
        target = urljoin(url, link.strip()).partition("#")[0]
        name = target[len(url) :] if target.startswith(url) else ""
        if name and "?" not in name and "/" not in name.rstrip("/") and target not in seen:
            seen.add(target)
            yield target


def name_in(url: str, root: str) -> str:
    """The name of `url` in the folder `root`, decoded."""
    return unquote(urlsplit(url).path)[len(unquote(urlsplit(root).path)) :]
