"""Paymob over the wire: what is its own about payouts."""

import uuid
from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.provider import (
    CannotTell,
    Destination,
    DestinationKind,
    Found,
    PayoutState,
    PayoutStatus,
    Rejected,
    Unavailable,
    Unknown,
)
from multitask.providers.paymob.adapter import PaymobProvider
from tests.contract.paymob_rig import PaymobRig, paymob_rig

AMOUNT = Money(12_345, "EGP")
BANK = Destination(kind=DestinationKind.BANK, number="1234567890123", bank_code="CIB", holder="Mona Ali")
VODAFONE = Destination(kind=DestinationKind.WALLET, issuer="vodafone", number="01020304050", holder="Mona Ali")
ORANGE = Destination(kind=DestinationKind.WALLET, issuer="orange", number="01220304050", holder="Mona Ali")
BANK_WALLET = Destination(kind=DestinationKind.WALLET, issuer="bank_wallet", number="01520304050", holder="Mona Ali")
ALL = (BANK, VODAFONE, ORANGE, BANK_WALLET)


def pay_out(provider: PaymobProvider, destination: Destination = BANK, name: str = "") -> PayoutState:
    return provider.disburse(reference=name or str(uuid.uuid4()), destination=destination, amount=AMOUNT)


def choose(rig: PaymobRig, outcome: str, code: str | None = None) -> None:
    rig.sandbox.control("POST", "payouts/outcomes", {"outcome": outcome, "code": code})


def test_a_payout_says_on_its_way_until_the_receiving_bank_has_it(rig: PaymobRig, provider: PaymobProvider) -> None:
    payout = pay_out(provider)
    seen = [payout.status]
    for _ in range(12):
        rig.pass_time(600)
        seen.append(provider.read_disbursement(payout.id).status)

    assert seen[0] is PayoutStatus.PENDING
    assert PayoutStatus.IN_TRANSIT in seen
    assert seen[-1] is PayoutStatus.PAID
    assert seen == sorted(seen, key=[PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT, PayoutStatus.PAID].index)


def test_a_wallet_that_is_not_registered_fails_at_once_and_needs_another_number(
    rig: PaymobRig, provider: PaymobProvider
) -> None:
    choose(rig, "fails", "618")
    before = provider.read_budget("EGP")

    payout = pay_out(provider, VODAFONE)

    assert (payout.status, payout.failure_code) == (PayoutStatus.FAILED, "618")
    assert provider.payout_failure(payout.failure_code, payout.failure_message).needs_new_details
    assert provider.read_budget("EGP") == before


def test_a_paid_payout_may_come_back(rig: PaymobRig, provider: PaymobProvider) -> None:
    payout = pay_out(provider)
    rig.sandbox.control("POST", f"payouts/{payout.id}", {"outcome": "succeed"})
    assert provider.read_disbursement(payout.id).status is PayoutStatus.PAID

    rig.sandbox.control("POST", f"payouts/{payout.id}", {"outcome": "return"})
    returned = provider.read_disbursement(payout.id)

    assert (returned.status, returned.failure_code) == (PayoutStatus.FAILED, "000100")


def test_an_unknown_outcome_is_unknown_and_read_later(rig: PaymobRig, provider: PaymobProvider) -> None:
    choose(rig, "unknown")
    name = str(uuid.uuid4())
    with pytest.raises(Unknown):
        pay_out(provider, VODAFONE, name)
    with pytest.raises(Unknown):
        provider.find_disbursement(reference=name, kind=DestinationKind.WALLET)
    (payout_id,) = (each["id"] for each in rig.sandbox.money()["payouts"] if each["client_reference_id"] == name)
    with pytest.raises(Unknown):
        provider.read_disbursement(payout_id)
    assert provider.read_disbursements([payout_id]) == {}

    rig.sandbox.control("POST", f"payouts/{name}", {"outcome": "succeed"})

    found = provider.find_disbursement(reference=name, kind=DestinationKind.WALLET)
    assert isinstance(found, Found)
    assert found.object.status is PayoutStatus.PAID


@pytest.mark.parametrize("are_bank", [True, False])
def test_a_wallet_of_a_bank_is_found_in_either_list(are_bank: bool) -> None:
    arguments = ("--budget=10000000", "--inquiries-per-minute=0", *([] if are_bank else ["--bank-wallets-are-wallets"]))
    with paymob_rig(arguments) as rig:
        provider = rig.make()
        payout = pay_out(provider, BANK_WALLET)
        assert isinstance(provider.find_disbursement(reference=payout.reference, kind=DestinationKind.WALLET), Found)
        assert provider.read_disbursement(payout.id).id == payout.id


def test_many_payouts_are_read_by_two_inquiries(rig: PaymobRig) -> None:
    asked: list[str] = []

    def allowed(kind: str) -> None:
        asked.append(kind)

    provider = rig.make(inquiry_allowed=allowed)
    made = [pay_out(provider, destination) for destination in ALL]

    found = provider.read_disbursements([*(payout.id for payout in made), "nothing"])

    assert {name: state.reference for name, state in found.items()} == {each.id: each.reference for each in made}
    assert asked == ["transactions", "transactions"]
    with pytest.raises(ValueError, match="at most 50"):
        provider.read_disbursements([str(number) for number in range(51)])


def test_an_inquiry_that_is_not_allowed_is_not_made(rig: PaymobRig) -> None:
    wait = timedelta(seconds=17)
    provider = rig.make(inquiry_allowed=lambda kind: wait)
    for call in (
        lambda: provider.read_disbursement("1"),
        lambda: provider.find_disbursement(reference="1", kind=DestinationKind.BANK),
        lambda: provider.read_disbursements(["1"]),
        lambda: provider.read_budget("EGP"),
    ):
        with pytest.raises(Unavailable) as refusal:
            call()
        assert (refusal.value.code, refusal.value.retry_after) == ("rate_limited", wait)


def test_paymobs_own_limit_is_no_answer_about_the_payout() -> None:
    with paymob_rig(("--budget=10000000", "--inquiries-per-minute=1")) as rig:
        provider = rig.make()
        payout = pay_out(provider)
        assert isinstance(provider.find_disbursement(reference=payout.reference, kind=BANK.kind), Found)
        with pytest.raises(Unavailable, match="rate_limited"):
            provider.find_disbursement(reference=payout.reference, kind=BANK.kind)


def test_a_token_that_has_ended_is_renewed_and_one_that_cannot_be_is_obtained_anew(
    rig: PaymobRig, provider: PaymobProvider
) -> None:
    pay_out(provider)
    rig.pass_time(4_000)
    assert pay_out(provider).id, "the token had ended and was refused"

    rig.pass_time(10 * 86_400)
    assert pay_out(provider).id


def test_wrong_credentials_are_for_the_operator_to_mend(rig: PaymobRig) -> None:
    for changes in ({"payout_password": "invalid"}, {"payout_client_secret": "invalid"}):
        with pytest.raises(Unavailable) as refusal:
            pay_out(rig.make(**changes))
        assert (refusal.value.code, refusal.value.key_spent) == ("provider_misconfigured", False)


@pytest.mark.parametrize(
    "destination",
    [
        Destination(kind=DestinationKind.WALLET, issuer="aman", number="01020304050"),
        Destination(kind=DestinationKind.WALLET, issuer="vodafone", number="+201020304050"),
        Destination(kind=DestinationKind.WALLET, number="01020304050"),
        Destination(kind=DestinationKind.BANK, number="1234567890123", bank_code="CIB"),
        Destination(kind=DestinationKind.BANK, number="1234567890123", holder="Mona Ali"),
        Destination(kind=DestinationKind.INSTAPAY, number="", bank_code="CIB", holder="Mona Ali"),
    ],
)
def test_details_that_paymob_could_only_refuse_are_not_sent(rig: PaymobRig, destination: Destination) -> None:
    provider = rig.make(payout_base="http://127.0.0.1:9")
    with pytest.raises(Rejected) as refusal:
        pay_out(provider, destination)
    assert refusal.value.code == "invalid_destination"


def test_a_connection_that_is_refused_had_no_effect(rig: PaymobRig) -> None:
    provider = rig.make(payout_base="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="not_connected"):
        pay_out(provider)


@pytest.mark.parametrize("kind", ["drop_response", "error_after"])
def test_a_payout_that_was_not_answered_is_found_and_never_made_twice(
    rig: PaymobRig, provider: PaymobProvider, kind: str
) -> None:
    before, name = rig.count("payout"), str(uuid.uuid4())
    rig.fail(kind, "POST", "*/disburse/*")

    for _ in range(2):
        with pytest.raises(Unknown):
            pay_out(provider, VODAFONE, name)

    assert rig.count("payout") == before + 1
    assert isinstance(provider.find_disbursement(reference=name, kind=DestinationKind.WALLET), Found)


def test_a_search_that_is_refused_proves_nothing(rig: PaymobRig, provider: PaymobProvider) -> None:
    answer = provider.find_disbursement(reference=str(uuid.uuid4()), kind=DestinationKind.INSTAPAY)
    assert isinstance(answer, CannotTell)


def test_a_budget_of_another_currency_is_refused(provider: PaymobProvider) -> None:
    with pytest.raises(Rejected):
        provider.read_budget("USD")


def test_inquiries_go_by_get_where_paymob_refuses_post() -> None:
    with paymob_rig(("--budget=10000000", "--inquiries-per-minute=3", "--inquiries-by-get")) as rig:
        provider = rig.make()
        payout = pay_out(provider)

        # The refused one counts towards Paymob's limit, so it is made once only.
        for _ in range(2):
            assert isinstance(provider.find_disbursement(reference=payout.reference, kind=BANK.kind), Found)
