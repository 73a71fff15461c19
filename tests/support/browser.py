"""Owns a real browser for tests: Debian's chromium without a window, driven by playwright, ended with the test.

Must not know what a page is about.
"""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

PHONE = {"width": 375, "height": 812}
DESK = {"width": 1200, "height": 900}


class Seen:
    """A page that is open: what it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._console)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def text(self, selector: str) -> str:
        """The text of an element."""
        return self.page.locator(selector).inner_text()

    def until(self, condition: str, timeout_s: float = 20.0) -> None:
        """Waits until an expression of JavaScript holds."""
        # Evaluated from outside, time and again: the page's policy lets nobody make code of text in it.
        with contextlib.closing(_Patience(timeout_s)) as patience:
            while not self.page.evaluate(condition):
                patience.wait(self.page, condition)


class _Patience:
    def __init__(self, timeout_s: float) -> None:
        self._left = timeout_s

    def wait(self, page: Page, what: str) -> None:
        assert self._left > 0, f"never: {what}\n{page.locator('body').inner_text()}"
        page.wait_for_timeout(100)
        self._left -= 0.1

    def close(self) -> None:
        self._left = 0


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """One that runs."""
    program = shutil.which("chromium")
    assert program is not None, "no chromium; `make test` installs Debian's package chromium where it can"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def opened(browser: Browser, url: str, size: dict[str, int] | None = None, scheme: str = "light") -> Iterator[Seen]:
    """A page that is open. It must not have complained of anything."""
    page = browser.new_page(viewport=size or DESK, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        seen = Seen(page)
        page.goto(url)
        yield seen
        assert seen.complaints == []
    finally:
        page.close()
