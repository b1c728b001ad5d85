"""A user at a browser, in a separate context, with the actions that need several clicks."""

import contextlib
import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    Response,
    ViewportSize,
    expect,
)

from tests.acceptance.story import PASSWORD
from tests.acceptance.system import System
from tests.staff import app_shows

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
GOOD_CARD = "4242424242424242"
# Answers in the 400s are told by the page; Chromium writes them into the console as well.
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


class Person:
    """A user with one page in a separate browser context; errors outside the page's text are kept in `complaints`."""

    def __init__(self, browser: Browser, system: System, *, language: str = "en", **context: Any) -> None:
        self.system = system
        self.name = f"visitor{uuid.uuid4().hex[:8]}"
        address = str(ipaddress.IPv6Address(0x2001_0DB8 << 96 | uuid.uuid4().int >> 32))
        self.context: BrowserContext = browser.new_context(
            base_url=system.url,
            viewport=context.pop("viewport", DESKTOP),
            extra_http_headers={"X-Forwarded-For": address},
            **context,
        )
        self.context.set_default_timeout(60_000)
        # As if it had been chosen at the foot of a page.
        self.context.add_cookies([{"name": "django_language", "value": language, "url": system.url}])
        self.complaints: list[str] = []
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def _watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("response", self._check)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not ANSWERED.match(message.text):
            self.complaints.append(f"console: {message.text}")

    def _check(self, response: Response) -> None:
        allowed = {"", *(urlsplit(address).netloc for address in self.system.addresses())}
        if urlsplit(response.url).netloc not in allowed:
            self.complaints.append(f"foreign host: {response.url}")
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")

    def forgive(self, word: str) -> None:
        """Drop complaints that a test expects."""
        self.complaints = [complaint for complaint in self.complaints if word not in complaint]

    # -- getting in

    def register(self, name: str, *wishes: str) -> "Person":
        """Create an account that wants to "hire people" or "work for others"."""
        self.name = f"{name}{uuid.uuid4().hex[:4]}"
        self.page.goto("/")
        self.page.get_by_role("banner").get_by_role("link", name="Create account").click()
        self.page.get_by_label("User name").fill(self.name)
        self.page.get_by_label("Email").fill(f"{self.name}@example.org")
        self.page.get_by_label("Password").fill(PASSWORD)
        for wish in wishes:
            self.page.get_by_label(wish).check()
        self.press("Create the account")
        return self

    def sign_in(self, name: str) -> "Person":
        """Sign in to an account that exists, with a code if it has a second factor."""
        self.name = name
        self.page.goto("/sign-in/")
        self.page.locator("[name=identifier]").fill(name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.page.locator("main form button").click()
        code = app_shows(self.system, name)
        if code:
            self.page.locator("[name=otp]").fill(code)
            self.page.locator("main form button").click()
        expect(self.page.locator("a.me")).to_contain_text(name)
        return self

    # -- looking and pressing

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name).first.click()

    def sees(self, words: str) -> None:
        """Wait until the page shows the words."""
        expect(self.page.get_by_text(words).first).to_be_visible(timeout=60_000)

    def heading(self, words: str) -> Locator:
        return self.page.get_by_role("heading", name=words)

    # -- actions of several clicks

    def card(self) -> FrameLocator:
        return self.page.frame_locator("#payment-element iframe")

    def give_card(self, number: str = GOOD_CARD) -> None:
        """Type a card into the provider's frame and pay."""
        card = self.card()
        card.get_by_label("Card number").fill(number)
        card.locator("[name=expiry]").fill("12 / 34")
        card.locator("[name=cvc]").fill("123")
        self.page.locator("#pay").click()

    def authenticate(self, *, passed: bool = True) -> None:
        """Complete or fail the 3-D Secure step over the page."""
        frame = self.page.frame_locator('iframe[title="3-D Secure"]')
        frame.get_by_role("button", name="Complete authentication" if passed else "Fail authentication").click()

    def onboard(self, *, account_number: str = "") -> None:
        """Set up the payout account on the provider's page, from the page that asks for it."""
        self.press("Set up payouts")
        if account_number:
            self.page.get_by_label("Bank account number").fill(account_number)
        self.press("Submit")
        self.sees("Ready for payouts")

    def refreshed_until(self, words: str) -> None:
        """Reload the page until it shows the words: it reloads by itself only while it waits for something.

        After a click, wait for its page first: a page cannot be reloaded during navigation.
        """

        def said() -> None:
            self.page.reload()
            expect(self.page.get_by_text(words).first).to_be_visible(timeout=500)

        _until(said)


def _until(check: Callable[[], None], tries: int = 40) -> None:
    for _ in range(tries - 1):
        with contextlib.suppress(AssertionError):
            check()
            return
    check()
