"""Transfers, reversals, payouts and chargebacks."""

from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    ABSENT,
    Disputes,
    EvidenceContent,
    EvidenceDocument,
    EvidenceText,
    EvidenceUpload,
    Found,
    HoldsAccounts,
    PayoutStatus,
    PaysOut,
    Rejected,
    ReportsMoney,
    Transfers,
    TransferStatus,
    Unavailable,
)
from tests.contract.conftest import HUNDRED, LONG_AGO, People
from tests.contract.rigs import CLOSED_BANK, DISPUTED_CARD, GOOD_BANK, RETURNING_BANK, SUSPECTED_CARD, AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(HoldsAccounts, Transfers, PaysOut, ReportsMoney, Disputes)

SHARE = Money(8_500, "USD")


def test_a_share_goes_to_the_account_before_its_charge_has_settled(
    people: People, provider: AnyProvider, name: str
) -> None:
    account, payment = people.freelancer(), people.paid()

    transfer = provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )

    assert (transfer.status, transfer.amount, transfer.reversed) == (
        TransferStatus.SUCCEEDED,
        SHARE,
        Money(0, "USD"),
    )
    assert (transfer.account_id, transfer.reference) == (account.id, name)
    assert provider.read_transfer(transfer.id) == transfer
    balance = provider.read_account_balance(account.id, "USD")
    assert (balance.available, balance.pending) == (Money(0, "USD"), SHARE)


def test_the_same_key_transfers_once(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()

    first, second = (
        provider.create_transfer(
            reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
        )
        for _ in range(2)
    )

    assert first == second
    assert provider.read_account_balance(account.id, "USD").pending == SHARE


def test_no_more_than_the_charge_is_transferred(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()

    with pytest.raises(Rejected) as refusal:
        provider.create_transfer(
            reference=name,
            amount=HUNDRED + Money(1, "USD"),
            account_id=account.id,
            collection_id=payment.collection_id,
            key=name,
        )
    assert refusal.value.message


def test_a_transfer_without_funds_waits_and_needs_a_new_key(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    account = people.freelancer()
    wanted = Money(90_000_000, "USD")

    with pytest.raises(Unavailable) as refusal:
        provider.create_transfer(reference=name, amount=wanted, account_id=account.id, collection_id="", key=name)

    assert refusal.value.code == "balance_insufficient"
    assert refusal.value.key_spent
    assert provider.find_transfer(reference=name, account_id=account.id, since=LONG_AGO) == ABSENT


def test_a_transfer_goes_from_available_funds_when_no_charge_is_named(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    account = people.freelancer()
    people.paid()
    rig.settle()

    transfer = provider.create_transfer(reference=name, amount=SHARE, account_id=account.id, collection_id="", key=name)

    assert transfer.amount == SHARE


def test_a_transfer_to_an_account_that_may_not_receive_waits(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.account(), people.paid()

    with pytest.raises(Unavailable) as refusal:
        provider.create_transfer(
            reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
        )
    assert refusal.value.key_spent


def test_a_transfer_is_found_by_its_reference(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    made = provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )

    assert provider.find_transfer(reference=name, account_id=account.id, since=LONG_AGO) == Found(made)
    assert provider.find_transfer(reference=f"{name}0", account_id=account.id, since=LONG_AGO) == ABSENT


def test_a_transfer_is_taken_back_in_parts(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    transfer = provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )
    rig.settle()

    part = provider.reverse_transfer(
        reference=f"{name}:a", transfer_id=transfer.id, amount=Money(500, "USD"), key=f"{name}:a"
    )
    assert (part.id, part.status, part.reversed) == (transfer.id, TransferStatus.SUCCEEDED, Money(500, "USD"))

    whole = provider.reverse_transfer(
        reference=f"{name}:b", transfer_id=transfer.id, amount=Money(8_000, "USD"), key=f"{name}:b"
    )
    assert (whole.status, whole.reversed) == (TransferStatus.REVERSED, SHARE)
    assert provider.find_reversal(reference=f"{name}:a", transfer_id=transfer.id) == Found(whole)
    assert provider.find_reversal(reference=f"{name}:c", transfer_id=transfer.id) == ABSENT
    with pytest.raises(Rejected):
        provider.reverse_transfer(
            reference=f"{name}:d", transfer_id=transfer.id, amount=Money(1, "USD"), key=f"{name}:d"
        )


def with_funds(people: People, rig: Rig, name: str, *, bank: str) -> str:
    """A freelancer whose share is available; answers the account."""
    account, payment = people.freelancer(bank=bank), people.paid()
    people.provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )
    rig.settle()
    return account.id


def test_a_payout_reaches_the_bank(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)
    assert provider.read_account_balance(account, "USD").available == SHARE

    payout = provider.create_payout(reference=name, account_id=account, amount=SHARE, key=name)

    assert (payout.amount, payout.account_id, payout.reference) == (SHARE, account, name)
    assert payout.status in {PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT}
    assert payout.arrival_at is not None
    assert payout.arrival_at >= rig.now() - timedelta(days=1)
    assert provider.read_account_balance(account, "USD").available == Money(0, "USD")

    rig.pass_time(3 * 86_400)
    assert provider.read_payout(account_id=account, payout_id=payout.id).status is PayoutStatus.PAID


def test_a_payout_that_has_not_left_is_cancelled_once(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)
    payout = provider.create_payout(reference=name, account_id=account, amount=SHARE, key=name)

    first, second = (
        provider.cancel_payout(account_id=account, payout_id=payout.id, key=f"{name}-cancel") for _ in range(2)
    )

    assert first == second
    assert (first.id, first.status, first.reference) == (payout.id, PayoutStatus.CANCELLED, name)
    assert provider.read_account_balance(account, "USD").available == SHARE
    rig.pass_time(3 * 86_400)
    assert provider.read_payout(account_id=account, payout_id=payout.id).status is PayoutStatus.CANCELLED


@pytest.mark.parametrize("days", [1, 3])
def test_a_payout_that_has_left_is_not_cancelled(
    people: People, rig: Rig, provider: AnyProvider, name: str, days: int
) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)
    payout = provider.create_payout(reference=name, account_id=account, amount=SHARE, key=name)
    rig.pass_time(days * 86_400 + 60)

    with pytest.raises(Rejected):
        provider.cancel_payout(account_id=account, payout_id=payout.id, key=f"{name}-cancel")

    status = provider.read_payout(account_id=account, payout_id=payout.id).status
    assert status in {PayoutStatus.IN_TRANSIT, PayoutStatus.PAID}


def test_the_same_key_pays_out_once(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)

    first, second = (
        provider.create_payout(reference=name, account_id=account, amount=Money(100, "USD"), key=name) for _ in range(2)
    )

    assert first.id == second.id
    assert provider.read_account_balance(account, "USD").available == Money(8_400, "USD")


@pytest.mark.parametrize("bank", [CLOSED_BANK, RETURNING_BANK])
def test_a_payout_that_the_bank_returns_says_why(
    people: People, rig: Rig, provider: AnyProvider, name: str, bank: str
) -> None:
    account = with_funds(people, rig, name, bank=bank)
    payout = provider.create_payout(reference=name, account_id=account, amount=SHARE, key=name)

    rig.pass_time(10 * 86_400)

    failed = provider.read_payout(account_id=account, payout_id=payout.id)
    assert (failed.status, failed.failure_code) == (PayoutStatus.FAILED, "account_closed")
    assert failed.failure_message
    assert provider.read_account_balance(account, "USD").available == SHARE


def test_a_payout_beyond_the_balance_is_refused(people: People, provider: AnyProvider, name: str) -> None:
    account = people.freelancer()

    with pytest.raises(Rejected) as refusal:
        provider.create_payout(reference=name, account_id=account.id, amount=SHARE, key=name)

    assert refusal.value.code == "balance_insufficient"


def test_nothing_is_paid_out_by_itself(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)

    rig.pass_time(30 * 86_400)

    assert provider.read_account_balance(account, "USD").available == SHARE


def test_a_payout_is_found_by_its_reference(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account = with_funds(people, rig, name, bank=GOOD_BANK)
    made = provider.create_payout(reference=name, account_id=account, amount=SHARE, key=name)

    assert provider.find_payout(reference=name, account_id=account, since=LONG_AGO) == Found(made)
    assert provider.find_payout(reference=f"{name}0", account_id=account, since=LONG_AGO) == ABSENT


def test_a_chargeback_names_its_payment(people: People, rig: Rig, provider: AnyProvider) -> None:
    payment = people.paid(card=DISPUTED_CARD)

    dispute = provider.read_dispute(rig.newest("dispute"))

    assert (dispute.payment_id, dispute.collection_id, dispute.amount) == (payment.id, payment.collection_id, HUNDRED)
    assert (dispute.reason, dispute.status) == ("fraudulent", "needs_response")


def test_the_newest_chargebacks_are_listed_first(people: People, rig: Rig, provider: AnyProvider) -> None:
    before = rig.now()
    first, second = people.paid(card=DISPUTED_CARD), people.paid(card=DISPUTED_CARD)

    listed = provider.list_disputes(since=before)

    assert [dispute.payment_id for dispute in listed][:2] == [second.id, first.id]
    assert listed[0] == provider.read_dispute(listed[0].id)


def test_only_chargebacks_opened_since_are_listed(people: People, rig: Rig, provider: AnyProvider) -> None:
    people.paid(card=DISPUTED_CARD)
    rig.pass_time(60)

    assert list(provider.list_disputes(since=rig.now())) == []


def test_evidence_with_a_file_is_sent_to_the_bank_once(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    people.paid(card=DISPUTED_CARD)
    dispute = provider.read_dispute(rig.newest("dispute"))
    upload = EvidenceUpload(name="receipt.pdf", content_type="application/pdf", content=b"%PDF-1.7 a receipt")
    file = provider.upload_evidence(upload=upload, key=f"{name}:file")
    content = EvidenceContent(texts={EvidenceText.SERVICE: "A logo"}, files={EvidenceDocument.RECEIPT: file})

    answered = [provider.submit_evidence(dispute_id=dispute.id, content=content, key=name) for _ in range(2)]

    assert answered[0] == answered[1]
    assert (answered[0].status, answered[0].is_submitted) == ("under_review", True)
    with pytest.raises(Rejected):
        provider.submit_evidence(dispute_id=dispute.id, content=content, key=f"{name}:again")


def test_a_file_of_another_kind_is_refused(provider: AnyProvider, name: str) -> None:
    upload = EvidenceUpload(name="page.html", content_type="text/html", content=b"<html>")

    with pytest.raises(Rejected):
        provider.upload_evidence(upload=upload, key=name)


def test_a_fraud_warning_names_its_payment_until_it_is_refunded(
    people: People, rig: Rig, provider: AnyProvider, name: str
) -> None:
    before = rig.now()
    payment = people.paid(card=SUSPECTED_CARD)

    listed = provider.list_fraud_warnings(since=before)
    assert [(warning.payment_id, warning.is_actionable) for warning in listed] == [(payment.id, True)]
    provider.create_refund(reference=name, payment_id=payment.id, amount=HUNDRED, key=name)

    assert not provider.read_fraud_warning(listed[0].id).is_actionable
