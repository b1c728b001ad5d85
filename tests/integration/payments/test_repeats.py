"""Every command twice in a row, and eight times at once: each time what one alone does, and no more."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import Error

from multitask import ledger
from multitask.marketplace import work
from multitask.payments import models as tables
from multitask.payments.authorization import approvals
from multitask.payments.escrow import auto_release, disputes, refund_outcomes, refunds
from multitask.payments.funding import payment_results, saved_methods, unapplied_payments
from multitask.payments.losses import chargebacks
from multitask.payments.operations import engine
from multitask.payments.payouts import availability, onboarding, transfer_retries, withdrawal_outcomes
from tests.integration.races import together
from tests.payments_world import REFUNDED_LATER, World, dollars, user_id

_COUNTED = (
    tables.Approval, tables.AuditEvent, tables.Chargeback, tables.ConnectedAccount, tables.Customer, tables.Dispute,
    tables.Escrow, tables.HistoryRow, tables.Operation, tables.Payment, tables.Refund, tables.SavedMethod,
    tables.Withdrawal,
)  # fmt: skip


def picture() -> Counter[str]:
    """How many rows there are of each kind, and what stands on the accounts of each kind."""
    seen: Counter[str] = Counter({table.__name__: table.objects.count() for table in _COUNTED})
    for row in ledger.trial_balance():
        seen[re.sub(r"\d+", "*", row.account)] += row.balance.amount_minor
    return seen


def change(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in before | after if after[name] != before[name]}


@dataclass
class Ready:
    """The commands of this file, each with everything done that comes before it."""

    world: World

    def release(self) -> Callable[[], object]:
        job = self.world.completed()
        return lambda: self.world.release(job)

    def release_by_staff(self) -> Callable[[], object]:
        job, finance = self.world.funded(), self.world.staff()
        return lambda: self.world.release(job, finance)

    def auto_release(self) -> Callable[[], object]:
        job = self.world.delivered()
        self.world.wait(days=14)
        return lambda: auto_release.release(escrow_id=job.escrow.pk, now=self.world.now)

    def refund(self) -> Callable[[], object]:
        job = self.world.funded()
        return lambda: self.world.refund(job)

    def refund_request(self) -> Callable[[], object]:
        job = self.world.started()
        return lambda: self.world.refund(job)

    def accept_refund(self) -> Callable[[], object]:
        return self._answer(accept=True)

    def refuse_refund(self) -> Callable[[], object]:
        return self._answer(accept=False)

    def _answer(self, *, accept: bool) -> Callable[[], object]:
        job = self.world.started()
        refund = self.world.refund(job)
        return lambda: refunds.answer(actor=job.freelancer, refund_id=refund.pk, accept=accept, now=self.world.now)

    def withdraw_refund(self) -> Callable[[], object]:
        job = self.world.started()
        refund = self.world.refund(job)
        return lambda: refunds.withdraw(actor=job.client, refund_id=refund.pk, now=self.world.now)

    def retry_refund(self) -> Callable[[], object]:
        job = self.world.funded(card=REFUNDED_LATER)
        refund = self.world.refund(job)
        self.world.work()
        refund.refresh_from_db()
        self.world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail", {"reason": "declined"})
        self.world.learn_of_refund(refund)
        finance = self.world.staff()
        return lambda: refunds.retry(actor=finance, refund_id=refund.pk, now=self.world.now)

    def return_payment(self) -> Callable[[], object]:
        job = self.world.hired()
        self.world.ask_to_pay(job)
        self.world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
        self.world.pay(job)
        self.world.learn_of_payment(job)
        finance, payment = self.world.staff(), job.payment
        return lambda: unapplied_payments.return_payment(actor=finance, payment_id=payment.pk, now=self.world.now)

    def open_dispute(self) -> Callable[[], object]:
        job = self.world.started()
        return lambda: disputes.open_dispute(
            actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=self.world.now
        )

    def settle_dispute(self) -> Callable[[], object]:
        job, finance = self.world.started(), self.world.staff()
        dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=self.world.now)
        return lambda: disputes.settle(
            actor=finance, dispute_id=dispute.pk, client_amount=dollars("30"), freelancer_amount=dollars("70"),
            now=self.world.now,
        )  # fmt: skip

    def ask_for_approval(self) -> Callable[[], object]:
        job, finance = self.world.funded(dollars("2000")), self.world.staff()
        return lambda: self.world.refund(job, finance)

    def approve(self) -> Callable[[], object]:
        return self._decide(approve=True)

    def turn_down(self) -> Callable[[], object]:
        return self._decide(approve=False)

    def _decide(self, *, approve: bool) -> Callable[[], object]:
        approval = self.world.refund(self.world.funded(dollars("2000")), self.world.staff())
        second = self.world.staff()
        return lambda: approvals.decide(actor=second, approval_id=approval.pk, approve=approve, now=self.world.now)

    def withdraw_everything(self) -> Callable[[], object]:
        job = self.world.settled()
        return lambda: self.world.withdraw(job.freelancer, dollars("85.00"))

    def withdraw_under_a_key(self) -> Callable[[], object]:
        job = self.world.settled()
        return lambda: self.world.withdraw(job.freelancer, dollars("10.00"), request_key="one")

    def settle(self) -> Callable[[], object]:
        job = self.world.completed()
        self.world.release(job)
        engine.perform(job.transfer.pk, now=self.world.now)
        self.world.wait(days=3)
        return lambda: availability.make_available(escrow_id=job.escrow.pk, now=self.world.now)

    def perform(self) -> Callable[[], object]:
        job = self.world.completed()
        self.world.release(job)
        return lambda: engine.perform(job.transfer.pk, now=self.world.now)

    def retry_transfer(self) -> Callable[[], object]:
        job = self.world.completed()
        account = str(self.world.account(job.freelancer).provider_account_id)
        self.world.at_provider(
            "transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id
        )
        self.world.release(job)
        self.world.work()
        finance = self.world.staff()
        return lambda: transfer_retries.retry(actor=finance, escrow_id=job.escrow.pk, now=self.world.now)

    def start(self) -> Callable[[], object]:
        job = self.world.funded()
        return lambda: work.start(actor=job.freelancer, task_id=job.task_id, now=self.world.now)

    def deliver(self) -> Callable[[], object]:
        job = self.world.started()
        return lambda: work.deliver(actor=job.freelancer, task_id=job.task_id, now=self.world.now)

    def complete(self) -> Callable[[], object]:
        job = self.world.delivered()
        return lambda: work.complete(actor=job.client, task_id=job.task_id, now=self.world.now)

    def cancel_unpaid(self) -> Callable[[], object]:
        job = self.world.hired()
        self.world.ask_to_pay(job)
        return lambda: work.cancel(actor=job.client, task_id=job.task_id, now=self.world.now)

    def cancel_funded(self) -> Callable[[], object]:
        job = self.world.funded()
        return lambda: work.cancel(actor=job.client, task_id=job.task_id, now=self.world.now)

    def create_intent(self) -> Callable[[], object]:
        job = self.world.hired()
        return lambda: self.world.ask_to_pay(job)

    def create_account(self) -> Callable[[], object]:
        freelancer = self.world.freelancer(onboarded=False)
        return lambda: self.world.create_account(freelancer)

    def save_card(self) -> Callable[[], object]:
        client, method = self.world.client(), self.world.browser.new_method()
        saved_methods.begin_setup(actor=client, now=self.world.now, request_key="one")
        return lambda: saved_methods.save(actor=client, method_id=method, make_default=False, now=self.world.now)

    def delete_card(self) -> Callable[[], object]:
        client, method = self.world.client(), self.world.browser.new_method()
        saved = saved_methods.save(actor=client, method_id=method, make_default=False, now=self.world.now)
        return lambda: saved_methods.delete(actor=client, method_id=saved.pk, now=self.world.now)

    def confirm_payment(self) -> Callable[[], object]:
        job = self.world.hired()
        self.world.ask_to_pay(job)
        self.world.pay(job)
        state = self.world.provider.read_payment(str(job.payment.provider_payment_id))
        return lambda: payment_results.confirm("stripe", state, self.world.now)

    def confirm_payout(self) -> Callable[[], object]:
        withdrawal = self.world.withdrawn(self.world.settled().freelancer, dollars("85.00"))
        payout, account = str(withdrawal.provider_payout_id), str(withdrawal.account.provider_account_id)
        self.world.sandbox.control("POST", f"payouts/{payout}/settle")
        state = self.world.provider.read_payout(account_id=account, payout_id=payout)
        return lambda: withdrawal_outcomes.confirm("stripe", state, self.world.now)

    def confirm_refund(self) -> Callable[[], object]:
        job = self.world.funded(card=REFUNDED_LATER)
        refund = self.world.refund(job)
        self.world.work()
        self.world.sandbox.advance(2, wait=False)
        refund.refresh_from_db()
        state = self.world.provider.read_refund(str(refund.provider_refund_id))
        return lambda: refund_outcomes.confirm("stripe", state, self.world.now)

    def confirm_chargeback(self) -> Callable[[], object]:
        job = self.world.funded()
        made = self.world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
        state = self.world.provider.read_dispute(made["id"])
        return lambda: chargebacks.confirm("stripe", state, self.world.now)

    def confirm_account(self) -> Callable[[], object]:
        freelancer = self.world.freelancer(onboarded=False)
        self.world.create_account(freelancer)
        self.world.fill_in(freelancer)
        return lambda: onboarding.refresh(user_id=user_id(freelancer), now=self.world.now)


COMMANDS = [name for name in vars(Ready) if not name.startswith("_") and callable(getattr(Ready, name))]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", COMMANDS)
def test_twice_and_eight_at_once_do_what_one_does(world: World, command: str) -> None:
    prepare = getattr(Ready(world), command)
    once = prepare()
    before = picture()
    once()
    effect = change(before, picture())
    assert effect, "a command without an effect proves nothing"

    before = picture()
    together([once])  # The second may be refused or answer what the first did.
    assert change(before, picture()) == {}

    many = prepare()
    before = picture()
    answers = together([many] * 8)
    assert change(before, picture()) == effect
    assert not [answer for answer in answers if isinstance(answer, Error | AssertionError | TypeError)]
