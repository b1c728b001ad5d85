"""An HTTP client for one person: JSON to the API, forms to our pages and the provider's; each call is printed."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from stack import console
from stack.errors import StackError

Answer = dict[str, Any]
TIMEOUT_SECONDS = 30
WAIT_SECONDS = 90
PAUSE_SECONDS = 0.2
LONGEST_PATH = 80
MOST_REDIRECTS = 3


# What our pages put into a form for themselves.
HIDDEN = ("csrfmiddlewaretoken", "request_key")


class CallError(StackError):
    """A call had another response than the story needs."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Return redirects instead of following them."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Form(HTMLParser):
    """The fields of the forms of a page, with their values, and the page's links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def link(self, part: str) -> str:
        """Return the first link whose address contains `part`. Raises StackError."""
        for found in self.links:
            if part in found:
                return found
        raise StackError(f"the page has no link with {part!r}")


class Caller:
    """Call `base` as one person. `check` is called before each request, to stop if a program has ended."""

    def __init__(self, base: str, *, token: str = "", check: Callable[[], None] = lambda: None) -> None:
        self.base = base
        self.token = token
        self.check = check
        # The pages use a session cookie.
        self._opener = urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPCookieProcessor())

    def get(self, path: str) -> Answer:
        return self._json("GET", path, None, (200,), {})

    def post(
        self, path: str, body: Answer | None = None, *, expect: tuple[int, ...] = (200, 201), key: str = ""
    ) -> Answer:
        """Send JSON; `key` is the idempotency key. Raises CallError for any other status than expected."""
        return self._json("POST", path, body or {}, expect, {"Idempotency-Key": key} if key else {})

    def until(self, path: str, holds: Callable[[Answer], bool], *, wanted: str) -> Answer:
        """Repeat a GET until `holds`; only the last one is printed. Raises CallError at the timeout."""
        began = time.monotonic()
        for times in range(1, 1_000_000):
            status, text = self._send("GET", path, None, {})
            answer = _read(text)
            waited = time.monotonic() - began
            if status == 200 and holds(answer):
                console.say(f"     GET {self.base}{path} -> 200  (asked {times} times in {waited:.1f} s)")
                return answer
            if waited > WAIT_SECONDS:
                raise CallError(
                    f"GET {path} did not show {wanted} in {WAIT_SECONDS} s; it shows {status}: {text[:500]}"
                )
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("the timeout comes before the last attempt")

    def form(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Send a form as a page does; return the status, and the redirect's target or the response body."""
        data = urllib.parse.urlencode(fields).encode()
        status, text = self._send("POST", path, data, {"Content-Type": "application/x-www-form-urlencoded"})
        self._print("POST", path, status)
        return status, text

    def submit(self, shown: str, fields: dict[str, str], *, to: str = "", expect: tuple[int, ...] = (302,)) -> str:
        """Open our page `shown` and send its form, by default to the same address, with these fields.

        Return the redirect's target or the response body. Raises CallError for any other status than expected.
        """
        present = Form(self.page(shown)).fields
        hidden = {name: present[name] for name in HIDDEN if name in present}
        path = to or shown
        status, answer = self.form(path, {**hidden, **fields})
        if status not in expect:
            raise CallError(f"POST {path} answered {status}: {answer[:500]}")
        return answer

    def page(self, path: str) -> str:
        """Read a page, also where another address of ours leads to it. Raises CallError unless its status is 200."""
        for _ in range(1 + MOST_REDIRECTS):
            status, text = self._send("GET", path, None, {})
            self._print("GET", path, status)
            if status not in (302, 303) or not text.startswith("/"):
                break
            path = text
        if status != 200:
            raise CallError(f"GET {path} answered {status}: {text[:500]}")
        return text

    def _json(
        self, method: str, path: str, body: Answer | None, expect: tuple[int, ...], headers: dict[str, str]
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        status, text = self._send(method, path, data, {"Content-Type": "application/json", **headers})
        self._print(method, path, status)
        if status not in expect:
            raise CallError(f"{method} {path} answered {status}: {text[:500]}")
        return _read(text)

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
        self.check()
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(  # noqa: S310 - the address is our own.
            self.base + path, data, {"Accept": "application/json", **authorization, **headers}, method=method
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("Location") or error.read().decode(errors="replace")
        except OSError as error:
            self.check()
            raise CallError(f"{method} {self.base}{path} was not answered: {error}") from error

    def _print(self, method: str, path: str, status: int) -> None:
        shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
        console.say(f"     {method} {self.base}{shown} -> {status}")


def _read(text: str) -> Answer:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
