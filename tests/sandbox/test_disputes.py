"""Disputes: what they take, how they are answered, what they give back."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.steps import usd
from tests.sandbox.test_files import PDF, upload
from tests.sandbox_process import ControlRefused, SandboxProcess

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


def opened(sandbox: SandboxProcess, charge: object, **more: object) -> str:
    """Open a dispute by hand and return its id."""
    return str(sandbox.control("POST", "disputes", {"charge": charge, **more})["id"])


def test_after_a_partial_refund_the_rest_is_disputed(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    paid = steps.pay(client, 10_000, "pm_card_bypassPending")
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 4_000})
    dispute = client.v1.disputes.retrieve(opened(sandbox, paid.latest_charge))

    assert dispute.amount == 6_000
    assert usd(sandbox) == (0, 9_680 - 4_000 - 6_000 - 1_500)


def test_a_charge_is_disputed_several_times_but_never_for_more_than_it_took(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    charge = steps.pay(client, 10_000, "pm_card_bypassPending").latest_charge
    first, second = opened(sandbox, charge, amount=3_000), opened(sandbox, charge, amount=5_000)

    with pytest.raises(ControlRefused, match="within what the charge took"):
        opened(sandbox, charge, amount=2_001)
    opened(sandbox, charge)
    with pytest.raises(ControlRefused, match="already disputed"):
        opened(sandbox, charge)
    sandbox.control("POST", f"disputes/{first}", {"outcome": "won"})
    assert client.v1.disputes.retrieve(opened(sandbox, charge)).amount == 3_000
    assert client.v1.disputes.retrieve(second).amount == 5_000
    assert len(client.v1.disputes.list({"charge": str(charge)}).data) == 4
    assert usd(sandbox) == (0, 9_680 - 10_000 - 4 * 1_500)


def test_a_lost_dispute_can_be_won_later(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = client.v1.disputes.close(disputed(client).id)
    sandbox.advance(40 * DAY)
    assert usd(sandbox) == (0, 9_680 - 11_500)
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "won"})

    told = client.v1.disputes.retrieve(dispute.id)
    assert told.status == "won"
    assert [(line.net, line.reporting_category) for line in told.balance_transactions] == [
        (-11_500, "dispute"), (10_000, "dispute_reversal"),
    ]  # fmt: skip
    assert usd(sandbox) == (0, 9_680 - 1_500)
    events = [event.type for event in client.v1.events.list({"type": "charge.dispute.*", "limit": 2})]
    assert events == ["charge.dispute.funds_reinstated", "charge.dispute.updated"]
    with pytest.raises(ControlRefused):
        sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "won"})


def test_a_win_may_return_the_fee(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client)
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "won", "return_fee": True})

    withdrawn, returned = client.v1.disputes.retrieve(dispute.id).balance_transactions
    assert (withdrawn.fee, returned.fee, returned.net) == (1_500, -1_500, 11_500)
    assert usd(sandbox) == (9_680, 0)


def test_a_full_refund_ends_an_inquiry(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client, "pm_card_createDisputeInquiry")
    assert dispute.is_charge_refundable
    client.v1.refunds.create({"charge": str(dispute.charge), "amount": 4_000})
    assert client.v1.disputes.retrieve(dispute.id).status == "warning_needs_response"
    client.v1.refunds.create({"charge": str(dispute.charge)})

    assert client.v1.disputes.retrieve(dispute.id).status == "warning_closed"
    assert client.v1.events.list({"type": "charge.dispute.closed"}).data
    with pytest.raises(ControlRefused):
        sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "escalated"})


def test_a_part_of_a_dispute_that_is_over_can_be_returned(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client, "pm_card_createDispute")
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "won", "amount": 4_000})
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "reinstated", "amount": 1_000})
    for amount in (5_001, 0, -1, "4000"):
        with pytest.raises(ControlRefused):
            sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "reinstated", "amount": amount})
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "reinstated"})
    with pytest.raises(ControlRefused):
        sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "reinstated"})
    moved = client.v1.disputes.retrieve(dispute.id)
    assert moved.status == "won"
    assert [each.amount for each in moved.balance_transactions] == [-10_000, 4_000, 1_000, 5_000]


def test_a_closed_inquiry_may_become_a_chargeback(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client, "pm_card_createDisputeInquiry")
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "won"})
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "escalated"})
    escalated = client.v1.disputes.retrieve(dispute.id)
    assert (escalated.status, [each.amount for each in escalated.balance_transactions]) == ("needs_response", [-10_000])


def test_an_escalated_inquiry_has_a_new_deadline(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client, "pm_card_createDisputeInquiry")
    sandbox.advance(8 * DAY)
    sandbox.control("POST", f"disputes/{dispute.id}", {"outcome": "escalated"})
    sandbox.advance(8 * DAY)

    told = client.v1.disputes.retrieve(dispute.id)
    assert (told.status, told.evidence_details.past_due) == ("needs_response", False)
    assert (told.evidence_details.due_by or 0) - (dispute.evidence_details.due_by or 0) in (8 * DAY, 8 * DAY + 1)
    sandbox.advance(DAY)
    told = client.v1.disputes.retrieve(dispute.id)
    assert (told.status, told.evidence_details.past_due) == ("lost", True)


def test_evidence_is_staged_and_then_submitted(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1, dispute = client.v1, disputed(client)
    receipt = upload(client, PDF).id
    staged = v1.disputes.update(dispute.id, {"evidence": {"receipt": receipt}, "submit": False})

    details = staged.evidence_details
    assert (staged.status, details.has_evidence, details.submission_count) == ("needs_response", True, 0)
    v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": False})
    assert v1.disputes.retrieve(dispute.id).status == "needs_response"
    sent = v1.disputes.update(dispute.id, {"submit": True, "expand": ["evidence.receipt"]})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    shown: Any = sent.evidence.receipt
    assert (shown.id, shown.purpose, shown.type) == (receipt, "dispute_evidence", "pdf")
    assert v1.disputes.retrieve(dispute.id).status == "won"


def test_evidence_refuses_files_that_it_cannot_use(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    dispute = disputed(client)
    passport = upload(client, PDF, purpose="identity_document").id
    large = [upload(client, PDF + b"x" * 2_500_000).id for _ in range(2)]

    def refused(**evidence: Any) -> tuple[str | None, str | None]:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.disputes.update(dispute.id, {"evidence": {**evidence}})  # type: ignore[typeddict-item]
        return caught.value.param, caught.value.code

    assert refused(receipt="file_none") == ("evidence[receipt]", "resource_missing")
    assert refused(receipt=passport)[0] == "evidence[receipt]"
    assert refused(receipt=large[0], customer_communication=large[1])[0] == "evidence"
    assert refused(**dict.fromkeys(TEXTS, "x" * 20000))[0] == "evidence"
    assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"


TEXTS = (
    "access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal", "duplicate_charge_explanation",
    "product_description", "refund_policy_disclosure", "refund_refusal_explanation", "uncategorized_text",
)  # fmt: skip


def test_a_warning_ends_with_a_refund(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1, paid = client.v1, steps.pay(client, 10_000)
    made = sandbox.control("POST", "early_fraud_warnings", {"charge": paid.latest_charge, "fraud_type": "misc"})
    [warning] = v1.radar.early_fraud_warnings.list({"payment_intent": paid.id}).data

    assert (warning.id, warning.fraud_type, warning.actionable) == (made["id"], "misc", True)
    assert v1.radar.early_fraud_warnings.list({"charge": str(paid.latest_charge)}).data == [warning]
    assert v1.radar.early_fraud_warnings.list({"charge": "ch_none"}).data == []
    v1.refunds.create({"payment_intent": paid.id, "amount": 1_000})
    assert v1.radar.early_fraud_warnings.retrieve(warning.id).actionable
    v1.refunds.create({"payment_intent": paid.id})
    assert not v1.radar.early_fraud_warnings.retrieve(warning.id).actionable
    kinds = [event.type for event in v1.events.list({"type": "radar.early_fraud_warning.*"})]
    assert kinds == ["radar.early_fraud_warning.updated", "radar.early_fraud_warning.created"]
    with pytest.raises(ControlRefused):
        sandbox.control("POST", "early_fraud_warnings", {"charge": paid.latest_charge})


def test_a_warning_becomes_a_dispute(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    paid = steps.pay(client, 10_000, "pm_card_createIssuerFraudRecord")
    [warning] = client.v1.radar.early_fraud_warnings.list().data
    opened(sandbox, paid.latest_charge)

    assert warning.actionable
    told = client.v1.radar.early_fraud_warnings.retrieve(warning.id, {"expand": ["charge"]})
    charge: Any = told.charge
    assert (told.actionable, charge.disputed) == (False, True)
