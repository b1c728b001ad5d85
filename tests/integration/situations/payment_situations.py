"""The situations of payments and of the platform's own money: other currencies, clients, cards, top-ups, payouts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from multitask.money import Money
from multitask.payments.books import statement
from multitask.payments.funding import saved_methods, unapplied_payments
from multitask.payments.models import Customer, ProviderAccount, Refund
from multitask.webhooks import statement as reading
from tests.integration.situations.situations import CARDS, CURRENCIES, PLATFORM, Situation
from tests.payments_world import Job, World, dollars, user_id

# -- a payment that settles in another currency


@contextmanager
def converted(world: World) -> Iterator[None]:
    """Let the platform's account settle euros in dollars."""
    world.sandbox.control("POST", "accounts/platform/settlement", {"eur": {"currency": "usd", "rate": "1.10"}})
    try:
        yield
    finally:
        world.sandbox.control("POST", "accounts/platform/settlement", {})


def pay_in_euros(world: World, job: Job) -> None:
    with converted(world):
        world.ask_to_pay(job)
        world.pay(job)
        world.hear()
    assert (job.payment.state, job.payment.review_reason) == ("review", "other_currency")


def pay_in_euros_and_back(world: World, job: Job) -> None:
    with converted(world):
        world.ask_to_pay(job)
        world.pay(job)
        world.hear()
        made = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
        assert isinstance(made, Refund)
        world.work()
        world.learn_of_refund(made)


# -- customers and cards


def known_client(world: World) -> Job:
    """A client who has a customer and a saved card at the provider is about to pay for another task."""
    client = world.client()
    method = world.browser.new_method()
    saved_methods.save(actor=client, method_id=method, make_default=True, now=world.now)
    return world.hired(client=client)


def pay(world: World, job: Job) -> None:
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()


def delete_customer(world: World, job: Job) -> None:
    """Delete the client's customer in the provider's dashboard; then the client pays."""
    customer = str(Customer.objects.get(user_id=user_id(job.client)).provider_customer_id)
    world.delete_at_provider(f"customers/{customer}")
    world.hear()
    assert not saved_methods.owned(job.client).exists()
    pay(world, job)
    assert Customer.objects.get(user_id=user_id(job.client)).provider_customer_id not in {None, customer}


def detach_card(world: World, job: Job) -> None:
    """Detach the client's card in the provider's dashboard; then the client pays with another."""
    saved = saved_methods.owned(job.client).get()
    world.at_provider(f"payment_methods/{saved.provider_method_id}/detach")
    world.hear()
    assert not saved_methods.owned(job.client).exists()
    pay(world, job)


# -- the platform's own money


def read_statements(world: World) -> None:
    """Read the statements of all accounts, as the periodic job does, and require that nothing is left unexplained."""
    statement.add_accounts(["stripe"], world.now)
    accounts = ProviderAccount.objects.order_by("pk")
    for account_id in accounts.values_list("pk", flat=True):
        reading.refresh(account_id=account_id, now=world.now)
    assert not accounts.filter(lines__state="open").exists()
    assert not accounts.exclude(reconciliations__difference_minor=0).filter(reconciliations__isnull=False).exists()


def top_up(world: World, job: Job) -> None:
    made = world.at_provider("topups", amount="5000", currency="usd", description="Working capital")
    world.sandbox.control("POST", f"topups/{made['id']}/settle")
    read_statements(world)


def pay_platform_out(world: World, job: Job) -> None:
    """The platform pays a part of its fees to its own bank account, in the provider's dashboard."""
    world.sandbox.settle()
    made = world.at_provider("payouts", amount="1000", currency="usd")
    world.sandbox.control("POST", f"payouts/{made['id']}/settle")
    read_statements(world)


def return_platform_payout(world: World, job: Job) -> None:
    """The bank sends such a payout back."""
    world.sandbox.settle()
    made = world.at_provider("payouts", amount="1000", currency="usd")
    world.sandbox.control("POST", f"payouts/{made['id']}/settle")
    read_statements(world)
    world.sandbox.control("POST", f"payouts/{made['id']}/fail", {"code": "account_closed"})
    read_statements(world)


PAYMENT_SITUATIONS: Final = (
    Situation(
        group=CURRENCIES,
        title="A payment settles in another currency",
        begin=lambda world: world.hired(Money(10_000, "EUR")),
        happen=pay_in_euros,
        state="pending_payment",
    ),
    Situation(
        group=CURRENCIES,
        title="A payment that settled in another currency is sent back",
        begin=lambda world: world.hired(Money(10_000, "EUR")),
        happen=pay_in_euros_and_back,
        state="pending_payment",
    ),
    Situation(
        group=CARDS,
        title="The client was deleted at the provider before a payment",
        begin=known_client,
        happen=delete_customer,
        state="funded",
    ),
    Situation(
        group=CARDS,
        title="The client's card was detached at the provider before a payment",
        begin=known_client,
        happen=detach_card,
        state="funded",
    ),
    Situation(
        group=PLATFORM,
        title="The platform tops its balance up",
        begin=lambda world: world.started(dollars("100.00")),
        happen=top_up,
        state="funded",
        reads_statements=True,
    ),
    Situation(
        group=PLATFORM,
        title="The platform pays out to its own bank",
        begin=lambda world: world.released(),
        happen=pay_platform_out,
        state="released",
        reads_statements=True,
    ),
    Situation(
        group=PLATFORM,
        title="A payout of the platform to its own bank comes back",
        begin=lambda world: world.released(),
        happen=return_platform_payout,
        state="released",
        reads_statements=True,
    ),
)
