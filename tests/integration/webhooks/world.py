"""A client and a freelancer with the sandbox, and the delivery of the sandbox's events.

Nothing is delivered by itself here: a test says which events arrive, in which order and how often.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from multitask.marketplace import applications, paying, work
from multitask.money import Money
from multitask.payments.escrow import releases
from multitask.payments.models import ConnectedAccount, Escrow, Operation, Payment, Withdrawal
from multitask.payments.operations import engine
from multitask.payments.payouts import availability, onboarding, withdrawals
from multitask.payments.states import OPEN_OPERATIONS
from multitask.users.actor import Actor
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.contract.rigs import GOOD_BANK, GOOD_CARD, StripeRig
from tests.integration.marketplace import people
from tests.integration.webhooks.conftest import CONNECT_SECRET, PLATFORM_SECRET, URL, sign

Event = dict[str, Any]


@dataclass
class World:
    """Two people, their money, and the events that tell of it."""

    rig: StripeRig
    seen: set[str] = field(default_factory=set)
    client: Actor = field(default_factory=lambda: people.actor(client=True))
    freelancer: Actor = field(default_factory=lambda: people.actor(freelancer=True))

    def account(self) -> ConnectedAccount:
        """Create the freelancer's account."""
        onboarding.create(actor=self.freelancer, country="US", currency="USD", now=timezone.now())
        return ConnectedAccount.objects.get(user__username=self.freelancer.label)

    def onboard(self, *, bank: str = GOOD_BANK) -> ConnectedAccount:
        """Create the account, fill in the form, and let its events arrive."""
        account = self.account()
        link = onboarding.link(
            actor=self.freelancer,
            refresh_url="http://127.0.0.1/refresh",
            return_url="http://127.0.0.1/return",
            now=timezone.now(),
        )
        self.rig.onboard(link.url, bank=bank)
        self.catch_up()
        account.refresh_from_db()
        return account

    def payment(self) -> Payment:
        """Bring a task as far as its payment at the provider."""
        task = people.open_task(self.client)
        application = applications.apply(actor=self.freelancer, now=people.NOW, task_id=task.pk)
        people.accept(self.client, application)
        return paying.create_intent(actor=self.client, application_id=application.pk, now=timezone.now()).payment

    def pay(self, payment: Payment, card: str = GOOD_CARD) -> None:
        """Pay in the browser; nobody is told yet."""
        self.rig.pay(payment.payer_token, card)

    def funded(self, card: str = GOOD_CARD) -> Escrow:
        """An escrow that its client has paid."""
        payment = self.payment()
        self.pay(payment, card)
        self.catch_up()
        return Escrow.objects.get(pk=payment.escrow_id)

    def released(self) -> Escrow:
        """An escrow whose share has gone to the freelancer's account."""
        held = self.funded()
        work.start(actor=self.freelancer, now=timezone.now(), task_id=held.agreement.task.pk)
        work.deliver(actor=self.freelancer, now=timezone.now(), task_id=held.agreement.task.pk)
        work.complete(actor=self.client, now=timezone.now(), task_id=held.agreement.task.pk)
        releases.release(actor=self.client, escrow_id=held.pk, now=timezone.now())
        self.operate()
        return held

    def withdrawn(self) -> Withdrawal:
        """A withdrawal of the released share, whose payout is under way."""
        held = self.released()
        self.rig.settle()
        availability.make_available(escrow_id=held.pk, now=timezone.now() + timedelta(days=10))
        withdrawals.create(actor=self.freelancer, amount=Money(8_500, "USD"), now=timezone.now())
        self.operate()
        return Withdrawal.objects.get()

    def operate(self) -> None:
        """Perform the operations that wait."""
        for row_id in Operation.objects.filter(state__in=[s.value for s in OPEN_OPERATIONS]).values_list("pk"):
            engine.perform(row_id[0], now=timezone.now())

    def news(self) -> list[Event]:
        """The events since the last time, of the platform and then of the freelancer's account."""
        accounts = ConnectedAccount.objects.filter(provider_account_id__isnull=False)
        events = self.rig.events()
        for account in accounts.values_list("provider_account_id", flat=True):
            events += self.rig.events(str(account))
        fresh = [event for event in events if event["id"] not in self.seen]
        self.seen.update(event["id"] for event in fresh)
        return fresh

    def catch_up(self) -> list[Event]:
        """Receive and process all events."""
        events = self.news()
        self.deliver(events)
        self.process()
        return events

    def deliver(self, events: Iterable[Event]) -> None:
        """Post events as the sandbox would."""
        for event in events:
            body = json.dumps(event).encode()
            header = sign(body, CONNECT_SECRET if event.get("account") else PLATFORM_SECRET)
            answer = Client().post(URL, body, content_type="application/json", headers={"Stripe-Signature": header})
            assert answer.status_code == 200, answer.content

    def process(self, *, after: timedelta = timedelta(0)) -> None:
        """Do the jobs of all stored events, in the order of their arrival."""
        for row_id in IncomingEvent.objects.filter(state=EventState.RECEIVED).order_by("pk").values_list("pk"):
            incoming.process(event_id=row_id[0], now=timezone.now() + after)


def states() -> dict[str, int]:
    """How many events ended how."""
    found = IncomingEvent.objects.values_list("state", flat=True)
    return {state: list(found).count(state) for state in sorted(set(found))}


def escrow_of(payment: Payment) -> Escrow:
    return Escrow.objects.get(pk=payment.escrow_id)


def customer_key() -> str:
    """A key that no other call uses, in this run or an earlier one on the same sandbox."""
    return f"webhooks:{uuid.uuid4()}"
