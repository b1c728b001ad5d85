"""The provider's statement: every movement of an account is one line, and all lines add up to its balance."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    Collects,
    Disputes,
    HoldsAccounts,
    LineKind,
    PaysOut,
    Refunds,
    ReportsMoney,
    StatementEntry,
    Subject,
    Transfers,
)
from tests.contract.conftest import HUNDRED, LONG_AGO, People
from tests.contract.rigs import DISPUTED_CARD, AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(Collects, Refunds, HoldsAccounts, Transfers, PaysOut, ReportsMoney, Disputes)

SHARE = Money(8_500, "USD")


def newest(provider: AnyProvider) -> str:
    """The id of the platform's newest line, after a payment that makes one."""
    page = next(iter(provider.read_statement(account_id="", after="", since=LONG_AGO)))
    return page[-1].id


def lines(provider: AnyProvider, account_id: str = "", after: str = "") -> list[StatementEntry]:
    pages: Sequence[Sequence[StatementEntry]] = list(
        provider.read_statement(account_id=account_id, after=after, since=LONG_AGO)
    )
    return [line for page in (pages if after else reversed(pages)) for line in page]


def moved(entries: Sequence[StatementEntry]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[entry.amount.currency] += entry.amount.amount_minor - entry.fee.amount_minor
    return sums


def test_a_payment_and_its_refund_are_lines(people: People, provider: AnyProvider, name: str) -> None:
    people.paid()
    before = newest(provider)
    payment = people.paid()
    refund = provider.create_refund(reference=name, payment_id=payment.id, amount=Money(4_000, "USD"), key=name)

    first, second = lines(provider, after=before)

    assert (first.kind, first.source_id, first.subject, first.object_id) == (
        LineKind.PAYMENT,
        payment.collection_id,
        Subject.PAYMENT,
        payment.id,
    )
    assert (first.amount, first.fee, first.available_at) == (HUNDRED, payment.fee, payment.available_at)
    assert (second.kind, second.source_id, second.subject, second.object_id) == (
        LineKind.REFUND,
        refund.id,
        Subject.REFUND,
        refund.id,
    )
    assert (second.amount, second.fee) == (Money(-4_000, "USD"), Money(0, "USD"))


def test_both_accounts_name_the_same_transfer_and_reversal(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    before = newest(provider)
    transfer = provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )
    part = Money(2_000, "USD")
    provider.reverse_transfer(reference=f"{name}:back", transfer_id=transfer.id, amount=part, key=f"{name}:back")

    ours, theirs = lines(provider, after=before), lines(provider, account.id)

    assert [(line.kind, line.amount) for line in ours] == [(LineKind.TRANSFER, -SHARE), (LineKind.REVERSAL, part)]
    assert [(line.kind, line.amount) for line in theirs] == [(LineKind.TRANSFER, SHARE), (LineKind.REVERSAL, -part)]
    assert [line.source_id for line in ours] == [line.source_id for line in theirs]
    assert ours[0].source_id == transfer.id
    assert {(line.subject, line.object_id) for line in ours} == {(Subject.TRANSFER, transfer.id)}


def test_a_payout_is_a_line_of_its_account(people: People, rig: Rig, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )
    rig.settle()
    payout = provider.create_payout(reference=f"{name}:out", account_id=account.id, amount=SHARE, key=f"{name}:out")

    line = lines(provider, account.id)[-1]

    assert (line.kind, line.source_id, line.subject, line.object_id) == (
        LineKind.PAYOUT,
        payout.id,
        Subject.PAYOUT,
        payout.id,
    )
    assert line.amount == -SHARE


def test_a_chargeback_is_a_line_with_its_fee(people: People, provider: AnyProvider) -> None:
    people.paid()
    before = newest(provider)
    people.paid(card=DISPUTED_CARD)

    line = lines(provider, after=before)[-1]

    assert (line.kind, line.subject, line.amount) == (LineKind.CHARGEBACK, Subject.DISPUTE, -HUNDRED)
    assert line.fee.amount_minor > 0
    assert provider.read_dispute(line.object_id).id == line.source_id


def test_all_lines_add_up_to_the_balance(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    provider.create_transfer(
        reference=name, amount=SHARE, account_id=account.id, collection_id=payment.collection_id, key=name
    )

    for account_id in ("", account.id):
        held = {each.total.currency: each.total.amount_minor for each in provider.read_balances(account_id)}
        sums = moved(lines(provider, account_id))
        assert {currency: minor for currency, minor in held.items() if minor} == {
            currency: minor for currency, minor in sums.items() if minor
        }


def test_a_line_is_read_from_its_moment_on(people: People, rig: Rig, provider: AnyProvider) -> None:
    people.paid()
    rig.pass_time(3_600)
    since = rig.now() - timedelta(seconds=1)
    payment = people.paid()

    found = [line for page in provider.read_statement(account_id="", after="", since=since) for line in page]

    assert [line.source_id for line in found] == [payment.collection_id]
