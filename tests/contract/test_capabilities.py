"""What a provider declares is what it does, and `docs/providers.md` shows it."""

from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    PROTOCOLS,
    Absent,
    CannotTell,
    Disburses,
    Found,
    NotSupported,
    Provider,
    supporting,
    supports,
)
from multitask.providers.paymob import amounts
from tests.contract import matrix
from tests.contract.conftest import People
from tests.contract.rigs import Rig


@pytest.mark.parametrize("wanted", PROTOCOLS)
def test_a_declared_protocol_is_implemented_and_any_other_is_refused(provider: Provider, wanted: type) -> None:
    if supports(provider, wanted):
        assert isinstance(provider, wanted)
        assert supporting(provider, wanted) is provider
    else:
        with pytest.raises(NotSupported, match=wanted.__name__):
            supporting(provider, wanted)


def test_a_payment_continues_as_declared(rig: Rig, provider: Provider, people: People) -> None:
    made = people.payment()
    assert made.continuation is not None
    assert isinstance(made.continuation, provider.capabilities.continuation)
    assert rig.provider.continuation(made.continuation.token) == made.continuation


def test_keys_are_honoured_if_that_is_declared(rig: Rig, provider: Provider, people: People, name: str) -> None:
    if not provider.capabilities.honours_keys:
        assert provider.capabilities.key_lifetime is None
        return
    lifetime = provider.capabilities.key_lifetime
    assert lifetime is not None
    assert lifetime > timedelta(0)
    first, second = (
        rig.provider.create_payment(reference=name, amount=people.hundred, customer_id="", description="", key=name)
        for _ in range(2)
    )
    assert first.id == second.id


def test_a_search_finds_if_that_is_declared(rig: Rig, provider: Provider, people: People) -> None:
    made = people.paid()
    found = rig.provider.find_payment(reference=made.reference, customer_id="")
    missing = rig.provider.find_payment(reference=f"{made.reference}0", customer_id="")
    if provider.capabilities.finds_by_reference:
        assert isinstance(found, Found)
        assert found.object.id == made.id
        assert isinstance(missing, Absent)
    else:
        assert isinstance(found, CannotTell)
        assert isinstance(missing, CannotTell)


def test_the_declared_currencies_can_be_charged_and_paid_out(provider: Provider) -> None:
    assert provider.capabilities.currencies
    for currency in provider.capabilities.currencies:
        rules = provider.amount_rules(currency)
        assert rules.is_supported
        assert Money(rules.least_charge, currency) > Money.zero(currency)
        assert rules.least_payout % rules.payout_step == 0


def test_amounts_that_the_provider_does_not_publish_are_marked(provider: Provider) -> None:
    shown = matrix.section(provider)
    for currency in provider.capabilities.currencies:
        rules = provider.amount_rules(currency)
        row = next(line for line in shown.splitlines() if line.startswith(f"| {currency} "))
        assert row.count("(secondary)") == len(rules.secondary)
    if supports(provider, Disburses):
        for kind in amounts.SECONDARY_LEAST:
            assert f"{provider.least_disbursement(kind, amounts.CURRENCY).to_major_string()} (secondary)" in shown
        for kind in amounts.SECONDARY_MOST:
            most = provider.most_disbursement(kind, amounts.CURRENCY)
            assert most is not None
            assert f"{most.to_major_string()} (secondary)" in shown


def test_the_capability_matrix_is_up_to_date(provider: Provider) -> None:
    known = matrix.PATH.read_text() if matrix.PATH.exists() else ""
    assert matrix.section(provider) in known, "docs/providers.md is out of date: python -m tests.contract.matrix"
