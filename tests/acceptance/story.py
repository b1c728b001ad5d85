"""The story of one task over HTTP, by its client and its freelancer."""

import ipaddress
import itertools
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.acceptance.system import PATIENCE, PUBLISHABLE_KEY, Answer, NoAnswer, System, eventually
from tests.sandbox_process import ControlRefused

PASSWORD = "Correct-horse-9-battery"
IN_FLIGHT = "idempotency_in_flight"
_numbers = itertools.count(1)


class Person:
    """A user of the API, who retries until a final response."""

    def __init__(self, system: System, role: str) -> None:
        self.system = system
        self.name = f"{role}{next(_numbers)}{uuid.uuid4().hex[:6]}"
        self.address = str(ipaddress.IPv6Address(0x2001_0DB8 << 96 | uuid.uuid4().int >> 32))
        body = {"username": self.name, "email": f"{self.name}@example.com", "password": PASSWORD, f"is_{role}": True}
        answer = system.call("POST", "/api/auth/register/", body, address=self.address)
        assert answer.status == 201, answer
        self.token = answer.body["access"]
        self.id = answer.body["user"]["id"]

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "", seconds: float = 60) -> Answer:
        """Make one request. Raises NoAnswer."""
        return self.system.call(method, path, body, token=self.token, key=key, address=self.address, seconds=seconds)

    def get(self, path: str) -> Any:
        """Read a path, as soon as the server responds."""

        def read() -> Answer | None:
            try:
                answer = self.ask("GET", path, seconds=10)
            except NoAnswer:
                return None
            return answer if answer.status < 500 else None

        answer = eventually(read, f"{path} to answer")
        assert answer is not None
        assert answer.status == 200, answer
        return answer.body

    def post(
        self, path: str, body: Any = None, *, key: str = "", done: tuple[str, ...] = (), seconds: float = PATIENCE
    ) -> Answer:
        """Post until a final response: not lost, no 5xx, not "in flight". The codes in `done` count as success too."""
        last: list[object] = []

        def attempt() -> Answer | None:
            try:
                answer = self.ask("POST", path, body, key=key)
            except NoAnswer as error:
                last[:] = [error]
                return None
            last[:] = [answer]
            # Other 5xx may be retried; a 500 is a fault of ours, whatever the provider or the database did.
            assert answer.status != 500, f"{path} answered {answer}"
            return None if answer.status >= 500 or answer.code == IN_FLIGHT else answer

        try:
            answer = eventually(attempt, f"POST {path} to be answered", seconds=seconds, pause=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; {last}") from error
        assert answer is not None
        assert answer.status < 300 or answer.code in done, answer
        return answer


class Story:
    """A client, a freelancer and what happens between them. Every step can be repeated after a crash."""

    def __init__(self, system: System, *, price: str = "100.00") -> None:
        self.system, self.price = system, price
        self.client, self.freelancer = Person(system, "client"), Person(system, "freelancer")
        self.keys: dict[str, str] = {}
        self.task = self.application = 0
        self.escrow_id = ""
        self.intent: dict[str, Any] = {}

    def key(self, step: str) -> str:
        """The idempotency key of a step: the same however often the step is tried."""
        return self.keys.setdefault(step, uuid.uuid4().hex)

    @property
    def share(self) -> str:
        """What the freelancer gets."""
        return str((Decimal(self.price) * 85 / 100).quantize(Decimal("0.01")))

    # -- the steps

    def hire(self) -> None:
        wanted = {"title": "A logo", "description": "Blue, please.", "budget": self.price}
        self.task = self.client.post("/api/tasks/create/", wanted).body["id"]
        applied = self.freelancer.post(f"/api/tasks/{self.task}/apply/", {"cover_letter": "I can."})
        self.application = applied.body["id"]
        self.client.post(f"/api/tasks/applications/{self.application}/accept/")

    def open_account(self) -> None:
        self.freelancer.post("/payments/connect/create/", done=("account_exists",))

    def fill_in_form(self) -> None:
        """Complete the provider's hosted page; open it again if it fails."""

        def fill() -> bool:
            link = self.freelancer.post("/payments/connect/onboarding/").body["url"]
            try:
                return bool(self.system.sandbox.onboard(link))
            except (ControlRefused, OSError):
                return False

        eventually(fill, "the onboarding page to take the form")

    def onboard(self) -> None:
        self.open_account()
        self.fill_in_form()
        eventually(self.is_onboarded, "the account to be enabled")

    def is_onboarded(self) -> bool:
        return bool(self.freelancer.get("/payments/connect/status/").get("onboarding_completed"))

    def request(self, command: str) -> tuple[str, dict[str, Any]]:
        """The address and the body of a command that moves money."""
        known: dict[str, tuple[str, dict[str, Any]]] = {
            "intend": ("/payments/intents/create/", {"application_id": self.application}),
            "release": (f"/payments/escrow/{self.escrow_id}/release/", {}),
            "refund": (f"/payments/escrow/{self.escrow_id}/refund/", {"reason": "Changed my mind"}),
            "withdraw": ("/payments/withdrawals/create/", {"amount": self.share}),
        }
        return known[command]

    def intend(self) -> None:
        path, body = self.request("intend")
        self.intent = self.client.post(path, body, key=self.key("intend")).body
        self.escrow_id = self.intent["escrow_id"]

    def pay(self) -> None:
        """Confirm in the browser, with the client secret alone, until the provider says that it is paid."""
        eventually(self._confirm, "the card to be charged")

    def _confirm(self) -> bool:
        path, secret = f"/v1/payment_intents/{self.intent['payment_intent_id']}", self.intent["client_secret"]
        form = {"client_secret": secret, "payment_method": "pm_card_visa", "return_url": "https://example.com/paid"}
        answer = self._browser("POST", f"{path}/confirm", form)
        answer = answer or self._browser("GET", f"{path}?client_secret={secret}")
        return answer.get("status") == "succeeded"

    def _browser(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        data = urllib.parse.urlencode(form).encode() if form else None
        headers = {"Authorization": f"Bearer {PUBLISHABLE_KEY}"}
        request = urllib.request.Request(self.system.sandbox.base_url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return dict(json.load(reply))
        except (OSError, urllib.error.HTTPError):
            return {}

    def fund(self) -> None:
        self.intend()
        self.pay()
        self.until("funded")

    def work(self) -> None:
        for person, step in ((self.freelancer, "start"), (self.freelancer, "deliver"), (self.client, "complete")):
            person.post(f"/api/tasks/{self.task}/{step}/", done=("task_state_conflict", "task_refused"))

    def release(self) -> Answer:
        path, body = self.request("release")
        return self.client.post(path, body, key=self.key("release"))

    def refund(self) -> Answer:
        path, body = self.request("refund")
        return self.client.post(path, body, key=self.key("refund"))

    def cancel(self) -> None:
        self.client.post(f"/api/tasks/{self.task}/cancel/", done=("task_state_conflict",))

    def withdraw(self) -> Answer:
        path, body = self.request("withdraw")
        return self.freelancer.post(path, body, key=self.key("withdraw"))

    # -- what becomes of it

    def escrow(self) -> dict[str, Any]:
        return dict(self.client.get(f"/payments/escrow/{self.escrow_id}/"))

    def until(self, status: str) -> None:
        eventually(lambda: self.escrow()["status"] == status, f"the escrow to be {status}")

    def until_available(self) -> None:
        def available() -> bool:
            return bool(self.freelancer.get("/payments/wallet/")["available_balance"] == self.share)

        eventually(available, f"{self.share} to be available")

    def until_paid_out(self) -> None:
        def paid() -> bool:
            rows = self.freelancer.get("/payments/withdrawals/")["results"]
            return [row["status"] for row in rows] == ["completed"]

        eventually(paid, "the withdrawal to be completed")

    # -- how far it is played

    def to_work_done(self) -> "Story":
        """Hired, onboarded, funded, completed: the release is next."""
        self.hire()
        self.onboard()
        self.fund()
        self.work()
        return self

    def finish(self) -> None:
        """From the release to the bank."""
        self.release()
        self.until_available()
        self.withdraw()
        self.until_paid_out()

    def play(self) -> None:
        """From the first step to the last."""
        self.to_work_done()
        self.finish()


Step = Callable[[Story], object]


def give_float(system: System) -> None:
    """Fund the platform's balance at the provider, since a refund also has to cover the provider's fee."""
    story = Story(system, price="5000.00")
    story.hire()
    story.fund()
