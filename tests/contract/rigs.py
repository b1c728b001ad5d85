"""The offline sandbox behind each provider, and the users of its pages.

A rig lets the one suite of this folder run against every provider: it brings the provider, plays the client's
browser and the freelancer at the hosted form, moves the provider's clock and makes its network fail.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from multitask.payments.provider import (
    Collects,
    Disburses,
    Disputes,
    HoldsAccounts,
    InboundEvent,
    OffersSavedCards,
    PaysOut,
    Provider,
    Refunds,
    ReportsMoney,
    SavesMethods,
    SendsWebhooks,
    Transfers,
)
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration
from tests.sandbox_process import SandboxProcess

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
CHALLENGED_CARD = "4000002760003184"
DISPUTED_CARD = "4000000000000259"
SUSPECTED_CARD = "4000000000005423"  # its bank warns of fraud
GOOD_BANK = "000123456789"
CLOSED_BANK = "000111111113"
RETURNING_BANK = "000555555559"


class AnyProvider(
    Provider,
    Collects,
    Refunds,
    HoldsAccounts,
    Transfers,
    PaysOut,
    Disburses,
    SavesMethods,
    OffersSavedCards,
    Disputes,
    ReportsMoney,
    SendsWebhooks,
    Protocol,
):
    """A provider as the tests see it; those that need a protocol run where it is declared."""


class Rig(Protocol):
    """One provider under test. Its `currency` is one that it collects."""

    provider: AnyProvider
    currency: str

    def impatient(self) -> AnyProvider:
        """The same provider with timeouts of a fraction of a second."""
        ...

    def pay(self, client_secret: str, card: str = GOOD_CARD) -> None:
        """Pay in the browser."""
        ...

    def save_card(self, client_secret: str, card: str = GOOD_CARD) -> None:
        """Finish saving a card in the browser."""
        ...

    def pay_and_save(self, token: str, card: str = GOOD_CARD) -> InboundEvent:
        """Pay on the provider's page and let it keep the card; return the webhook that brings the card."""
        ...

    def cards_offered(self, payment_id: str) -> list[str]:
        """The tokens of the saved cards that the page of a payment offers."""
        ...

    def new_method(self, card: str = GOOD_CARD) -> str:
        """Make a payment method in the browser; answer its id."""
        ...

    def onboard(self, url: str, *, bank: str = GOOD_BANK) -> None:
        """Fill in the hosted form."""
        ...

    def settle(self) -> None:
        """Make pending funds available."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Move the provider's clock."""
        ...

    def now(self) -> datetime:
        """The provider's clock."""
        ...

    def fail(self, kind: str, method: str = "*", path: str = "*", **rule: Any) -> None:
        """Make the next request go wrong: drop_request, drop_response, error_before, error_after, rate_limit, delay."""
        ...

    def heal(self) -> None:
        """Take back every fault that is left."""
        ...

    def count(self, kind: str) -> int:
        """How many objects of a kind there are, in all accounts."""
        ...

    def newest(self, kind: str) -> str:
        """The id of the object of a kind that was made last."""
        ...


class StripeRig:
    """Stripe, by the sandbox over the wire."""

    currency = "USD"

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self.provider = cast("AnyProvider", self._make(read_timeout_seconds=20))

    @property
    def base_url(self) -> str:
        """Where the sandbox answers."""
        return self._sandbox.base_url

    def events(self, account: str = "") -> list[dict[str, Any]]:
        """The newest hundred events of the platform or of one account, oldest first."""
        headers = {"Authorization": "Bearer sk_test_contract"} | ({"Stripe-Account": account} if account else {})
        request = urllib.request.Request(f"{self.base_url}/v1/events?limit=100", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            listed: list[dict[str, Any]] = json.load(reply)["data"]
        return [{**event, "account": account} if account else event for event in reversed(listed)]

    def post(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """Do by hand, with the secret key, what the adapter has no call for."""
        return self._post(path, form, key="sk_test_contract")

    def impatient(self) -> AnyProvider:
        return cast("AnyProvider", self._make(read_timeout_seconds=0.3))

    def pay(self, client_secret: str, card: str = GOOD_CARD) -> None:
        intent = client_secret.partition("_secret_")[0]
        self._browse(f"payment_intents/{intent}/confirm", client_secret, card)

    def save_card(self, client_secret: str, card: str = GOOD_CARD) -> None:
        intent = client_secret.partition("_secret_")[0]
        self._browse(f"setup_intents/{intent}/confirm", client_secret, card)

    def pay_and_save(self, token: str, card: str = GOOD_CARD) -> InboundEvent:
        raise NotImplementedError

    def cards_offered(self, payment_id: str) -> list[str]:
        raise NotImplementedError

    def new_method(self, card: str = GOOD_CARD) -> str:
        return str(self._post("payment_methods", {"type": "card", **_card("card", card)})["id"])

    def onboard(self, url: str, *, bank: str = GOOD_BANK) -> None:
        self._sandbox.onboard(url, account_number=bank)

    def settle(self) -> None:
        self._sandbox.settle()

    def pass_time(self, seconds: float) -> None:
        self._sandbox.advance(seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._sandbox.now(), UTC)

    def fail(self, kind: str, method: str = "*", path: str = "*", **rule: Any) -> None:
        self._sandbox.add_fault(kind, method=method, path=path, count=1, **rule)

    def heal(self) -> None:
        self._sandbox.clear_faults()

    def count(self, kind: str) -> int:
        return len(self._sandbox.objects(kind))

    def newest(self, kind: str) -> str:
        made = [entry["object"] for entry in self._sandbox.objects(kind)]
        return str(max(made, key=lambda item: item["created"])["id"])

    def _make(self, *, read_timeout_seconds: float) -> StripeProvider:
        return StripeProvider(
            Configuration(
                secret_key="sk_test_contract",
                publishable_key="pk_test_contract",
                webhook_secret="whsec_platform",
                connect_webhook_secret="whsec_connect",
                api_base=self._sandbox.base_url,
                read_timeout_seconds=read_timeout_seconds,
            )
        )

    def _browse(self, path: str, client_secret: str, card: str) -> None:
        form = {
            "client_secret": client_secret,
            "payment_method_data[type]": "card",
            "return_url": "http://127.0.0.1/done",
            **_card("payment_method_data[card]", card),
        }
        self._post(path, form)

    def _post(self, path: str, form: dict[str, str], *, key: str = "pk_test_contract") -> dict[str, Any]:
        """Post as a browser does, with the publishable key; a declined card is an answer, not an error."""
        request = urllib.request.Request(
            f"{self._sandbox.base_url}/v1/{path}",
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Bearer {key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                answer: dict[str, Any] = json.load(reply)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
            if error.code != 402:
                raise AssertionError(f"{path}: {answer}") from error
        return answer


@contextmanager
def stripe_rig() -> Iterator[StripeRig]:
    """A sandbox of its own, whose payouts arrive and whose funds settle after two days."""
    with SandboxProcess() as sandbox:
        yield StripeRig(sandbox)


def _card(prefix: str, number: str) -> dict[str, str]:
    return {
        f"{prefix}[number]": number,
        f"{prefix}[exp_month]": "12",
        f"{prefix}[exp_year]": "2040",
        f"{prefix}[cvc]": "123",
    }
