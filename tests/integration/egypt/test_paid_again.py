"""A withdrawal that the provider pays after its money was given back."""

from dataclasses import replace

import pytest
from django.test import Client

from multitask.payments.errors import PayoutUnexplained
from multitask.payments.escrow import refund_payouts
from multitask.payments.models import AuditEvent, Withdrawal
from multitask.payments.payouts import withdrawal_outcomes
from multitask.payments.provider import PayoutStatus
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.egypt_world import EgyptWorld, disbursement_of, pounds
from tests.integration.backoffice.addresses import action, change
from tests.integration.pages.reading import text_of
from tests.payments_world import held, user_id


def test_finance_explains_it_before_the_payee_withdraws_again(
    world: EgyptWorld, finance: Actor, office: Client
) -> None:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    payout = disbursement_of(withdrawal)
    paid = world.paymob_provider.read_disbursement(str(payout.provider_payout_id))
    returned = replace(paid, status=PayoutStatus.FAILED, failure_code="000100")
    refund_payouts.confirm("paymob", returned, world.now)
    assert not work_queue.paid_after_return(world.now).exists()

    for _ in range(2):
        refund_payouts.confirm("paymob", paid, world.now)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, held(f"user:{user_id(payee)}:available", "EGP")) == ("failed", 85_000)
    assert AuditEvent.objects.filter(event="withdrawal_paid_after_return", withdrawal=withdrawal).count() == 1
    assert list(work_queue.paid_after_return(world.now)) == [withdrawal]
    with pytest.raises(PayoutUnexplained):
        world.withdraw(payee, pounds("10.00"))

    assert "Explain why" in text_of(office.get(action("explain-paid", payout.pk)))
    assert "Explain" in text_of(office.get(change(payout)))
    sent = {"request_key": "00000000-0000-4000-8000-000000000001", "note": "Asked Paymob"}
    office.post(action("explain-paid", payout.pk), sent, follow=True)

    event = AuditEvent.objects.get(event="withdrawal_paid_explained")
    assert (event.actor_id, event.note) == (finance.user_id, "Asked Paymob")
    refund_payouts.confirm("paymob", paid, world.now)
    assert not work_queue.paid_after_return(world.now).exists()
    withdrawal_outcomes.explain(actor=finance, withdrawal_id=withdrawal.pk, note="Again", now=world.now)
    world.withdraw(payee, pounds("10.00"))
    assert Withdrawal.objects.count() == 2
