"""Runs the suite once for every provider."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from multitask.money import Money
from multitask.payments.provider import AccountState, PaymentState, SavesMethods, supports
from tests.contract import matrix
from tests.contract.paymob_rig import paymob_rig
from tests.contract.rigs import GOOD_BANK, GOOD_CARD, AnyProvider, Rig, stripe_rig

RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"paymob": paymob_rig, "stripe": stripe_rig}
HUNDRED = Money(10_000, "USD")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, for each provider, the tests that need a protocol which it does not declare."""
    left_out = [item for item in items if _lacks_what_it_needs(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _lacks_what_it_needs(item: pytest.Item) -> bool:
    marks = [mark for mark in item.iter_markers("needs") if hasattr(item, "callspec")]
    supported = [matrix.PROVIDERS[item.callspec.params["started"]]().capabilities.supports for _ in marks[:1]]
    return any(not set(mark.args) <= supported[0] for mark in marks)


@pytest.fixture(scope="session", params=sorted(RIGS))
def started(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """One provider, running for the whole session."""
    with RIGS[request.param]() as rig:
        yield rig


@pytest.fixture
def rig(started: Rig) -> Iterator[Rig]:
    """The provider with a network that works, whatever the test before did."""
    yield started
    started.heal()


@pytest.fixture
def provider(rig: Rig) -> AnyProvider:
    """The adapter under test."""
    return rig.provider


@pytest.fixture
def name() -> str:
    """A reference and key that no other test uses."""
    return f"contract:{next(_numbers)}:1"


@dataclass
class People:
    """A client and a freelancer, brought as far as a test needs them."""

    rig: Rig

    @property
    def provider(self) -> AnyProvider:
        return self.rig.provider

    def freelancer(self, *, bank: str = GOOD_BANK) -> AccountState:
        """An account that may receive and pay out."""
        fresh = self.account()
        link = self.provider.create_onboarding_link(
            account_id=fresh.id, refresh_url="http://127.0.0.1/refresh", return_url="http://127.0.0.1/return"
        )
        self.rig.onboard(link.url, bank=bank)
        return self.provider.read_account(fresh.id)

    def account(self, **changes: str) -> AccountState:
        """An account that has filled in nothing."""
        reference = f"create_account:{next(_numbers)}:1"
        given = {"email": "freelancer@example.com", "country": "US", "currency": "USD", **changes}
        return self.provider.create_account(reference=reference, key=reference, **given)

    @property
    def hundred(self) -> Money:
        """A hundred in the provider's currency."""
        return Money(10_000, self.rig.currency)

    def customer(self) -> str:
        """A client; at a provider without customers an empty id."""
        if not supports(self.provider, SavesMethods):
            return ""
        reference = f"create_customer:{next(_numbers)}:1"
        return self.provider.create_customer(
            reference=reference, email="client@example.com", name="Client", key=reference
        )

    def payment(self, amount: Money | None = None) -> PaymentState:
        """A payment that waits to be paid."""
        reference = f"create_payment:{next(_numbers)}:1"
        return self.provider.create_payment(
            reference=reference,
            amount=amount or self.hundred,
            customer_id=self.customer(),
            description="A task",
            key=f"{reference}:1",
        )

    def paid(self, amount: Money | None = None, card: str = GOOD_CARD) -> PaymentState:
        """A payment after the client's try to pay it."""
        payment = self.payment(amount)
        self.rig.pay(payment.continuation.token, card)
        return self.provider.read_payment(payment.id)


@pytest.fixture
def people(rig: Rig) -> People:
    """Clients and freelancers."""
    return People(rig)
