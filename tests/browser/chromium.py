"""Debian's Chromium, driven by Playwright; where it is missing, the tests of pages say so or, in CI, fail."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

# It must ask nobody but the servers under test, whatever its own services would like to know.
QUIET = [
    "--no-first-run",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The one without windows first: it draws the same, and costs a third less.
PROGRAMS = ("chromium-headless-shell", "chromium")
MISSING = "Chromium is not installed: `apt install chromium-headless-shell`, or `stack/browser.sh` as root"


def required() -> str:
    """Where Chromium is. Without it the tests are skipped, and in CI they fail."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(MISSING)
    if found is None:
        pytest.skip(MISSING)
    return found


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """A browser until the end of the block."""
    path = required()
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to sandbox itself as root.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *rights])
        try:
            yield browser
        finally:
            browser.close()
