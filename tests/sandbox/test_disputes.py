"""Disputes: what they take, how they are answered, what they give back."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.steps import usd
from tests.sandbox_process import SandboxProcess

DAY = 86_400


def disputed(client: stripe.StripeClient, card: str = "pm_card_createDispute") -> stripe.Dispute:
    paid = steps.pay(client, 10_000, card)
    return client.v1.disputes.list({"payment_intent": paid.id}).data[0]


def test_a_dispute_takes_amount_and_fee_in_one_movement(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client)

    assert (dispute.status, dispute.reason) == ("needs_response", "fraudulent")
    [movement] = dispute.balance_transactions
    assert (movement.amount, movement.fee, movement.net, movement.type) == (-10_000, 1_500, -11_500, "adjustment")
    assert usd(sandbox) == (9_680, -11_500)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"charge": str(dispute.charge)})


@pytest.mark.parametrize(
    ("evidence", "status", "left"), [("winning_evidence", "won", -1_500), ("losing_evidence", "lost", -11_500)]
)
def test_evidence_decides_a_dispute(
    sandbox: SandboxProcess, client: stripe.StripeClient, evidence: str, status: str, left: int
) -> None:
    dispute = disputed(client)
    answered = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})

    assert answered.status == "under_review"
    assert client.v1.disputes.retrieve(dispute.id).status == status
    assert usd(sandbox) == (9_680, left)
    kinds = [event.type for event in client.v1.events.list({"type": "charge.dispute.*"}).data][::-1]
    reinstated = ["charge.dispute.funds_reinstated"] if status == "won" else []
    assert kinds == [
        "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.updated", *reinstated,
        "charge.dispute.closed",
    ]  # fmt: skip


def test_an_inquiry_takes_no_money_until_it_is_a_chargeback(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    dispute = disputed(client, "pm_card_createDisputeInquiry")
    assert (dispute.status, dispute.balance_transactions, usd(sandbox)) == ("warning_needs_response", [], (9_680, 0))
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "escalated"})

    assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"
    assert usd(sandbox) == (9_680, -11_500)


def test_a_closed_dispute_is_lost_for_good(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = client.v1.disputes.close(disputed(client).id)

    assert dispute.status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})


def test_silence_loses_a_dispute(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client)
    sandbox.advance(10 * DAY)

    assert client.v1.disputes.retrieve(dispute.id).status == "lost"


def test_a_dispute_after_the_release_by_hand_of_a_test(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    paid = steps.pay(client, 10_000)
    sandbox.advance(30 * DAY)
    opened = sandbox.control("POST", "disputes", {"charge": paid.latest_charge, "reason": "product_not_received"})

    assert client.v1.disputes.retrieve(opened["id"]).reason == "product_not_received"
    sandbox.control("POST", f"disputes/{opened['id']}", {"outcome": "won"})
    assert usd(sandbox) == (0, 9_680 - 1_500)


def test_a_note_on_a_dispute_is_told(client: stripe.StripeClient) -> None:
    steps.pay(client, 2_000, "pm_card_createDispute")
    [dispute] = client.v1.disputes.list().data
    client.v1.disputes.update(dispute.id, {"metadata": {"case": "7"}})

    [event] = client.v1.events.list({"type": "charge.dispute.updated"}).data
    assert event.data.object["metadata"]["case"] == "7"
