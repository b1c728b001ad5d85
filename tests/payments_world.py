"""A small marketplace for tests: people, tasks and money, moved by our own commands and by the offline Stripe.

Everything is real: commands on PostgreSQL, the SDK over the wire, jobs taken from the queue. The one thing that
tests hold in their hands is `now`, which every command is given.
"""

import itertools
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from multitask import ledger, providers
from multitask.marketplace import applications, paying, tasks, work
from multitask.marketplace.models import Application, Task
from multitask.money import Money
from multitask.payments.escrow import refund_outcomes, refunds, releases
from multitask.payments.funding import intents, payment_results
from multitask.payments.models import ConnectedAccount, Escrow, Operation, Payment, Refund, Withdrawal
from multitask.payments.operations import engine
from multitask.payments.payouts import availability, budget, onboarding, transfers, withdrawal_outcomes, withdrawals
from multitask.payments.reads import wallet
from multitask.providers.stripe.adapter import StripeProvider
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User
from multitask.webhooks import incoming
from tests.contract.rigs import StripeRig
from tests.provider_dashboard import CONNECT_SECRET, PLATFORM_SECRET, Dashboard
from tests.sandbox_process import SandboxProcess

SETTLING = timedelta(days=2, minutes=1)

VISA = "4242424242424242"
SETTLED_AT_ONCE = "4000000000000077"
DECLINED = "4000000000000002"
SHORT_OF_FUNDS = "4000000000009995"
CHALLENGED = "4000002760003184"
CONTESTED = "4000000000000259"
REFUNDED_LATER = "4000000000007726"

_numbers = itertools.count(1)


def dollars(amount: str) -> Money:
    """Write 85.00 for eighty-five dollars."""
    return Money(round(float(amount) * 100), "USD")


def routed(*currencies: str) -> dict[str, dict[str, str]]:
    """The setting `ROUTES` for these currencies, of which the provider may be unable to pay some out."""
    return {currency: {"provider": "stripe", "kind": "connected"} for currency in currencies}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A task with both its people, once an application was accepted. Rows are read anew each time."""

    client: Actor
    freelancer: Actor
    application_id: int
    task_id: int

    @property
    def task(self) -> Task:
        return Task.objects.get(pk=self.task_id)

    @property
    def escrow(self) -> Escrow:
        return Escrow.objects.filter(agreement__task=self.task_id).latest("pk")

    @property
    def payment(self) -> Payment:
        return Payment.objects.filter(escrow__agreement__task=self.task_id).latest("pk")

    @property
    def refund(self) -> Refund:
        return Refund.objects.filter(escrow__agreement__task=self.task_id).latest("pk")

    @property
    def transfer(self) -> Operation:
        return Operation.objects.filter(kind=transfers.CREATE_TRANSFER, escrow__agreement__task=self.task_id).latest(
            "pk"
        )

    @property
    def charge_id(self) -> str:
        """The charge behind the payment that succeeded."""
        return Payment.objects.get(escrow__agreement__task=self.task_id, state="succeeded").provider_collection_id

    def history(self) -> list[str]:
        """The names of the escrow's audit events, oldest first."""
        return [event.event for event in releases.timeline(self.escrow)]


class World(Dashboard):
    """One test's marketplace."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        super().__init__(sandbox)
        # The tests of one process share the adapter, and so what it remembers of a provider that did not answer.
        self.provider.guard.breaker.reset()
        self.browser = StripeRig(sandbox)
        self.now: datetime = timezone.now()

    @property
    def provider(self) -> StripeProvider:
        provider = providers.get()
        assert isinstance(provider, StripeProvider)
        return provider

    # -- people

    def client(self, **more: Any) -> Actor:
        return self._person(is_client=True, **more)

    def freelancer(self, *, onboarded: bool = True, bank: str = "000123456789", **more: Any) -> Actor:
        """A freelancer, who has finished onboarding unless told otherwise."""
        actor = self._person(is_freelancer=True, **more)
        if onboarded:
            self.onboard(actor, bank=bank)
        return actor

    def staff(self, role: str = "finance", **more: Any) -> Actor:
        """Somebody of the staff who has just proved the second factor."""
        return self._person(Assurance.FRESH, staff_role=role, is_staff=True, **more)

    def _person(self, assurance: Assurance = Assurance.NONE, /, **fields: Any) -> Actor:
        name = f"person{next(_numbers)}"
        user = User.objects.create_user(name, f"{name}@example.com", **fields)
        return Actor.of(user, ip="203.0.113.7", assurance=assurance)

    def create_account(self, freelancer: Actor, country: str = "US", currency: str = "USD") -> ConnectedAccount:
        account = onboarding.create(actor=freelancer, country=country, currency=currency, now=self.now)
        self.listen_to(str(account.provider_account_id))
        return account

    def onboard(self, freelancer: Actor, *, bank: str = "000123456789") -> ConnectedAccount:
        """Create the account, fill in the hosted form, and read its state."""
        self.create_account(freelancer)
        self.fill_in(freelancer, bank=bank)
        onboarding.refresh(user_id=user_id(freelancer), now=self.now)
        return self.account(freelancer)

    def fill_in(self, freelancer: Actor, *, bank: str = "000123456789") -> None:
        link = onboarding.link(
            actor=freelancer,
            refresh_url="http://127.0.0.1/again",
            return_url="http://127.0.0.1/done",
            now=self.now,
        )
        self.sandbox.onboard(link.url, account_number=bank)

    def add_bank(self, freelancer: Actor, currency: str) -> None:
        """Add a bank account in another currency to the freelancer's account, and read its state."""
        account = self.account(freelancer).provider_account_id
        bank = {"object": "bank_account", "country": "US", "currency": currency.lower()}
        numbers = {"routing_number": "110000000", "account_number": "000123456789"}
        form = {f"external_account[{name}]": value for name, value in (bank | numbers).items()}
        self.at_provider(f"accounts/{account}/external_accounts", **form)
        onboarding.refresh(user_id=user_id(freelancer), now=self.now)

    def account(self, freelancer: Actor) -> ConnectedAccount:
        """The current account."""
        current = ConnectedAccount.objects.filter(user_id=user_id(freelancer), retired_at=None)
        return current.exclude(provider_account_id=None).get()

    def former_account(self, freelancer: Actor) -> ConnectedAccount:
        """The account that was replaced last."""
        return ConnectedAccount.objects.filter(user_id=user_id(freelancer), retired_at__isnull=False).latest("pk")

    # -- work

    def hired(
        self,
        amount: Money | None = None,
        *,
        client: Actor | None = None,
        freelancer: Actor | None = None,
        title: str = "Draw a logo",
    ) -> Job:
        """A task whose application was accepted, for 100 dollars unless told otherwise; nobody is onboarded yet."""
        client, freelancer = client or self.client(), freelancer or self.freelancer(onboarded=False)
        price = amount or dollars("100.00")
        task = tasks.post_task(actor=client, now=self.now, title=title, description="A round one", budget=price)
        application: Application = applications.apply(actor=freelancer, now=self.now, task_id=task.pk)
        applications.accept(actor=client, now=self.now, application_id=application.pk)
        return Job(client=client, freelancer=freelancer, application_id=application.pk, task_id=task.pk)

    def ask_to_pay(self, job: Job) -> intents.Intent:
        return paying.create_intent(actor=job.client, application_id=job.application_id, now=self.now)

    def pay(self, job: Job, card: str = VISA) -> None:
        """Pay in the browser; no event is received yet."""
        self.browser.pay(job.payment.payer_token, card)

    def learn_of_payment(self, job: Job, payment: Payment | None = None) -> None:
        """Read the payment at the provider and apply its state."""
        payment_id = (payment or job.payment).provider_payment_id
        assert payment_id
        payment_results.confirm("stripe", self.provider.read_payment(payment_id), self.now)

    def funded(self, amount: Money | None = None, *, card: str = VISA, **more: Any) -> Job:
        job = self.hired(amount, **more)
        self.ask_to_pay(job)
        self.pay(job, card)
        self.learn_of_payment(job)
        return job

    def give_the_platform_money(self) -> None:
        """Let the platform have available money at the provider, whatever other tests have lost there."""
        self.funded(dollars("50000.00"), card=SETTLED_AT_ONCE)

    def started(self, amount: Money | None = None, **more: Any) -> Job:
        job = self.funded(amount, **more)
        work.start(actor=job.freelancer, task_id=job.task_id, now=self.now)
        return job

    def delivered(self, amount: Money | None = None, **more: Any) -> Job:
        job = self.funded(amount, **more)
        work.deliver(actor=job.freelancer, task_id=job.task_id, now=self.now)
        return job

    def completed(self, amount: Money | None = None, **more: Any) -> Job:
        """Ready to be released to a freelancer who has finished onboarding, unless another is given."""
        job = self.delivered(amount, **{"freelancer": more.pop("freelancer", None) or self.freelancer(), **more})
        work.complete(actor=job.client, task_id=job.task_id, now=self.now)
        return job

    def released(self, amount: Money | None = None, **more: Any) -> Job:
        """Released and transferred; not yet settled."""
        job = self.completed(amount, **more)
        self.release(job)
        self.work()
        return job

    def settled(self, amount: Money | None = None, **more: Any) -> Job:
        """Released, and available to the freelancer."""
        job = self.released(amount, **more)
        self.settle(job)
        return job

    def release(self, job: Job, actor: Actor | None = None, **more: Any) -> Escrow:
        return releases.release(actor=actor or job.client, escrow_id=job.escrow.pk, now=self.now, **more)

    def settle(self, job: Job) -> None:
        """Advance two days, in which the funds settle at the provider."""
        self.sandbox.settle(self.account(job.freelancer).provider_account_id)
        self.wait(SETTLING)
        availability.make_available(escrow_id=job.escrow.pk, now=self.now)

    def refund(self, job: Job, actor: Actor | None = None, amount: Money | None = None, **more: Any) -> Any:
        return refunds.ask_or_refund(
            actor=actor or job.client,
            escrow_id=job.escrow.pk,
            amount=amount,
            reason="requested_by_customer",
            now=self.now,
            **more,
        )

    def withdraw(self, freelancer: Actor, amount: Money, **more: Any) -> Withdrawal:
        return withdrawals.create(actor=freelancer, amount=amount, now=self.now, **more)

    def withdrawn(self, freelancer: Actor, amount: Money) -> Withdrawal:
        """Asked for, and sent to the provider."""
        withdrawal = self.withdraw(freelancer, amount)
        self.work()
        withdrawal.refresh_from_db()
        return withdrawal

    def learn_of_payout(self, withdrawal: Withdrawal) -> Withdrawal:
        withdrawal.refresh_from_db()
        state = self.provider.read_payout(
            account_id=str(withdrawal.account.provider_account_id), payout_id=str(withdrawal.provider_payout_id)
        )
        withdrawal_outcomes.confirm("stripe", state, self.now)
        withdrawal.refresh_from_db()
        return withdrawal

    def arrive(self, withdrawal: Withdrawal) -> Withdrawal:
        """Settle the payout at the bank, and apply its state."""
        self.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
        return self.learn_of_payout(withdrawal)

    def learn_of_refund(self, refund: Refund) -> Refund:
        refund.refresh_from_db()
        refund_outcomes.confirm("stripe", self.provider.read_refund(str(refund.provider_refund_id)), self.now)
        refund.refresh_from_db()
        return refund

    # -- time, jobs and news

    def wait(self, period: timedelta | None = None, **parts: float) -> None:
        """Advance `now`."""
        self.now += period or timedelta(**parts)

    def lose_jobs(self) -> None:
        """Take all jobs from the queue and do none of them, as a worker does that is killed."""
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")

    def work(self) -> list[str]:
        """Run every job that is due now, and those that they bring about; return their names."""
        done = []
        while (job := _take_job(self.now)) is not None:
            name, arguments = job
            _WORK[name](**arguments, now=self.now)
            done.append(name)
        return done

    def hear(self) -> list[str]:
        """Receive and process all events of the provider; return their types."""
        fresh = self.events()
        for event in fresh:
            self.receive(event)
        self.work()
        return [event["type"] for event in fresh]

    # -- what can be seen

    def wallet(self, actor: Actor, currency: str = "USD") -> wallet.Balances:
        return wallet.balances(user_id=user_id(actor), default_currency=currency)[0]

    def made(self, kind: str, reference: str) -> list[dict[str, Any]]:
        """The provider's objects of a kind that carry our reference."""
        objects = [entry["object"] for entry in self.sandbox.objects(kind)]
        return [found for found in objects if found["metadata"].get("reference") == reference]

    def bank_deposits(self, freelancer: Actor) -> dict[str, int]:
        """What reached the freelancer's bank, in minor units per currency."""
        account = self.account(freelancer).provider_account_id
        deposits: dict[str, dict[str, int]] = self.sandbox.money()["bank_deposits"]
        return deposits.get(str(account), {})


def user_id(actor: Actor) -> int:
    """The user behind an actor who is a person."""
    assert actor.user_id is not None
    return actor.user_id


def held(code: str, currency: str = "USD") -> int:
    """The balance of a ledger account in minor units."""
    return ledger.balance(code, currency).amount_minor


def use_sandbox(settings: Settings, sandbox: SandboxProcess) -> None:
    """Point the settings of one test at a sandbox."""
    settings.STRIPE_API_BASE = sandbox.base_url
    settings.STRIPE_SECRET_KEY = "sk_test_world"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_world"
    settings.STRIPE_WEBHOOK_SECRET = PLATFORM_SECRET
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT_SECRET


_NUMBERED = ("connectedaccount", "customer", "escrow", "payment", "refund", "withdrawal")
_first_ids = itertools.count(1_000_000, 1_000)


def begin_at_fresh_numbers() -> None:
    """Number rows as no earlier test did: references and keys at the shared sandbox are made of these numbers."""
    first = next(_first_ids)
    with connection.cursor() as cursor:
        for table in _NUMBERED:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [f"payments_{table}", first])


_WORK: dict[str, Any] = {
    "perform_operation": engine.perform,
    "make_available": availability.make_available,
    "make_account_available": availability.make_account_available,
    "allot_budget": budget.allot,
    "compare_budget": budget.compare,
    "process_webhook": incoming.process,
}

_TAKE = """
DELETE FROM procrastinate_jobs WHERE id = (
    SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= %s)
     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING task_name, args
"""


def _take_job(now: datetime) -> tuple[str, dict[str, Any]] | None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [now])
        row = cursor.fetchone()
    if row is None:
        return None
    return row[0], row[1] if isinstance(row[1], dict) else json.loads(row[1])
