"""A real browser: the system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REASON = "Chromium is not installed: apt-get install chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
)
DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a headless browser that makes no network requests by itself."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One tab. complaints: console messages, script errors, and requests to other origins."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        **options: Any,
    ) -> None:
        self.complaints: list[str] = []
        width, height = size
        self._context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            **options,
        )
        self.page: Page = self._context.new_page()
        origin = url.split("?", maxsplit=1)[0]
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url, origin))
        self.page.goto(url)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _check(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:")):
            self.complaints.append(f"asked for {url}")

    def close(self) -> None:
        """Close the tab."""
        self._context.close()
