"""A small marketplace in Egypt for tests: people and money, moved by our own commands and by the offline Paymob."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.utils import timezone
from pytest_django import Settings

from multitask import providers
from multitask.money import Money
from multitask.payments.escrow import refund_payouts
from multitask.payments.funding import payment_results
from multitask.payments.models import (
    BudgetRecord,
    Disbursement,
    PayeeIdentity,
    Payment,
    PayoutDestination,
    Withdrawal,
)
from multitask.payments.payouts import (
    budget,
    budget_records,
    destinations,
    identity,
    overdue_payouts,
    withdrawal_cancellation,
)
from multitask.providers.paymob.adapter import PaymobProvider
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.users.owner_proof import OwnerProof
from tests.payments_world import Job, World, user_id
from tests.paymob_process import HMAC, PUBLIC_KEY, SECRET_KEY, PaymobProcess

PASSWORD = "a long password 1"
NATIONAL_ID = "29001011234567"
COOL_DOWN = timedelta(hours=72, minutes=1)
BUDGET = "provider:paymob:budget"
COLLECTED = "provider:paymob:balance"
BANK = "provider:paymob:bank"
# How a payout ends there by the last seven digits of its destination.
SUCCEEDS, PENDS, FAILS, PENDS_THEN_FAILS, RETURNS, UNKNOWN, EXCEEDS, PENDS_THEN_RETURNS, STAYS_PENDING = (
    f"0100000000{digit}" for digit in range(1, 10)
)


def pounds(amount: str) -> Money:
    """Write 85.00 for eighty-five Egyptian pounds."""
    return Money(round(float(amount) * 100), "EGP")


class EgyptWorld(World):
    """One test's marketplace in EGP."""

    def __init__(self, paymob: PaymobProcess) -> None:
        self.paymob = paymob
        self.now: datetime = timezone.now()
        self.paymob_provider.guard.breaker.reset()

    @property
    def paymob_provider(self) -> PaymobProvider:
        provider = providers.get("paymob")
        assert isinstance(provider, PaymobProvider)
        return provider

    # -- people

    def _person(self, *assurance: Any, **fields: Any) -> Actor:
        actor = super()._person(*assurance, **fields)
        user = User.objects.get(pk=user_id(actor))
        user.set_password(PASSWORD)
        user.email_confirmed_at = self.now
        user.save()
        return actor

    def payee(self, number: str = SUCCEEDS, *, issuer: str = "vodafone") -> Actor:
        """A freelancer whose identity is confirmed and whose wallet, or account by "instapay", may be paid to."""
        payee = self.freelancer(onboarded=False)
        self.identify(payee)
        if issuer == "instapay":
            self.add_account(payee, number)
        else:
            self.add_wallet(payee, number, issuer=issuer)
        self.wait(COOL_DOWN)
        return payee

    def submit_identity(self, actor: Actor) -> PayeeIdentity:
        """Submit an identity, which nobody has confirmed."""
        return identity.submit(
            actor=actor, legal_name="Mona Ali Hassan", national_id=NATIONAL_ID, proof=self.proof(), now=self.now
        )

    def identify(self, actor: Actor) -> None:
        """Submit an identity and have it confirmed."""
        submitted = self.submit_identity(actor)
        support = self.staff("support")
        identity.confirm(
            actor=support, identity_id=submitted.pk, national_id=NATIONAL_ID, note="Seen on video", now=self.now
        )

    def add_wallet(self, actor: Actor, number: str, *, issuer: str = "vodafone") -> PayoutDestination:
        given = {"issuer": issuer, "msisdn": number}
        return destinations.add(
            actor=actor, currency="EGP", kind="wallet", given=given, proof=self.proof(), now=self.now
        )

    def add_account(self, actor: Actor, number: str) -> PayoutDestination:
        # The end decides what becomes of it; a number that looks like a mobile number is refused.
        given = {"account_number": f"1{number}", "bank_code": "CIB", "full_name": "Mona Ali Hassan"}
        return destinations.add(
            actor=actor, currency="EGP", kind="instapay", given=given, proof=self.proof(), now=self.now
        )

    def proof(self) -> OwnerProof:
        return OwnerProof(password=PASSWORD)

    # -- paying and working

    def pay_there(self, job: Job, **given: Any) -> dict[str, str]:
        """Pay on the provider's page, without a callback; return the parameters with which the payer comes back."""
        done = self.paymob.control("POST", f"intentions/{job.payment.provider_payment_id}/pay", given)
        return dict(parse_qsl(urlsplit(done["redirect_url"]).query))

    def learn_of_payment(self, job: Job, payment: Payment | None = None) -> None:
        payment_id = (payment or job.payment).provider_payment_id
        assert payment_id
        payment_results.confirm("paymob", self.paymob_provider.read_payment(payment_id), self.now)

    def funded(self, amount: Money | None = None, *, card: str = "", **people: Any) -> Job:
        job = self.hired(amount or pounds("1000.00"), **people)
        self.ask_to_pay(job)
        self.pay_there(job)
        self.learn_of_payment(job)
        return job

    def earned(self, payee: Actor, amount: Money | None = None) -> Job:
        """Released to a payee, and available."""
        job = self.completed(amount, freelancer=payee)
        self.release(job)
        self.work()
        return job

    # -- the budget

    def fill_budget(self, amount: Money) -> BudgetRecord:
        """Top the budget up at the provider, and record it."""
        self.paymob.control("POST", "topups", {"amount": amount.amount_minor})
        return self.record_top_up(amount)

    def record_top_up(self, amount: Money) -> BudgetRecord:
        number = BudgetRecord.objects.count()
        record = budget_records.top_up(
            actor=self.staff("finance"),
            provider="paymob",
            amount=amount,
            happened_on=self.now.date(),
            reference=f"TOPUP-{number}",
            now=self.now,
        )
        self.work()
        return record

    def allot(self) -> list[str]:
        """Do what the minute's job does, and the jobs that it brings."""
        for withdrawal_id in withdrawal_cancellation.to_removed_destinations():
            withdrawal_cancellation.call_off_misled(withdrawal_id=withdrawal_id, now=self.now)
        for refund_id in refund_payouts.due(now=self.now):
            refund_payouts.begin(refund_id=refund_id, now=self.now)
        for refund_id in refund_payouts.without_destination(now=self.now):
            refund_payouts.note_waiting(refund_id=refund_id, now=self.now)
        for payout_id in overdue_payouts.due(now=self.now):
            overdue_payouts.hold(disbursement_id=payout_id, now=self.now)
        budget.allot(provider="paymob", currency="EGP", now=self.now)
        return self.work()

    def learn_of_disbursement(self, disbursement: Disbursement) -> None:
        """Read a payout and apply its state."""
        disbursement.refresh_from_db()
        state = self.paymob_provider.read_disbursement(str(disbursement.provider_payout_id))
        refund_payouts.confirm("paymob", state, self.now)

    def payouts_there(self) -> list[dict[str, Any]]:
        """All payouts that the provider has made or tried."""
        found: list[dict[str, Any]] = self.paymob.control("GET", "money")["payouts"]
        return found


def disbursement_of(withdrawal: Withdrawal) -> Disbursement:
    return Disbursement.objects.get(withdrawal=withdrawal)


def use_paymob(settings: Settings, paymob: PaymobProcess) -> None:
    """Point the settings of one test at a sandbox of Paymob, with EGP routed through it."""
    settings.ROUTES = {"EGP": {"provider": "paymob", "kind": "platform"}}
    settings.PAYMOB_API_BASE = paymob.base_url
    settings.PAYMOB_PAYOUT_BASE = f"{paymob.base_url}/api/secure"
    settings.PAYMOB_SECRET_KEY = SECRET_KEY
    settings.PAYMOB_PUBLIC_KEY = PUBLIC_KEY
    settings.PAYMOB_HMAC_SECRET = HMAC
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 0  # The limit is counted in real time, and here days pass in seconds.
