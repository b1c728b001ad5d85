"""A job in EGP from the payment to the payee's wallet, and what each step does to the books."""

import pytest

from multitask.payments.errors import (
    AmountTooSmall,
    DestinationMissing,
    IdentityMissing,
    IdentityUnconfirmed,
    InsufficientFunds,
)
from multitask.payments.models import Operation
from multitask.payments.payouts import identity
from tests.egypt_world import (
    BUDGET,
    COLLECTED,
    COOL_DOWN,
    NATIONAL_ID,
    PENDS,
    EgyptWorld,
    disbursement_of,
    pounds,
)
from tests.payments_world import held, user_id


def test_a_job_is_paid_released_and_withdrawn(world: EgyptWorld) -> None:
    payee = world.payee()
    job = world.funded(freelancer=payee)
    assert (job.escrow.state, job.escrow.route, held(COLLECTED, "EGP")) == ("funded", "platform", -100_000)

    job = world.earned(payee)

    assert not Operation.objects.filter(kind="create_transfer").exists()
    assert world.wallet(payee, "EGP").available == pounds("850.00")
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))

    assert (withdrawal.state, withdrawal.account) == ("completed", None)
    (there,) = world.payouts_there()
    assert (there["amount"], there["status"]) == (85_000, "successful")
    cost = there["fees"] + there["vat"]
    assert cost > 0
    assert held(BUDGET, "EGP") == -(200_000 - 85_000 - cost) == -world.paymob.control("GET", "money")["budget"]
    assert held("platform:payout_fees", "EGP") + held("platform:payout_taxes", "EGP") == -cost


def test_a_payout_that_pends_is_completed_once_it_is_read(world: EgyptWorld) -> None:
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))

    withdrawal = world.withdrawn(payee, pounds("850.00"))
    assert withdrawal.state == "processing"
    world.paymob.control("POST", f"payouts/{withdrawal.provider_payout_id}", {"outcome": "succeed"})
    world.learn_of_disbursement(disbursement_of(withdrawal))

    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"


def test_the_costs_of_a_payout_that_came_back_before_it_was_read_are_booked(world: EgyptWorld) -> None:
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    for outcome in ("succeed", "return"):
        world.paymob.control("POST", f"payouts/{withdrawal.provider_payout_id}", {"outcome": outcome})

    for _ in range(2):
        world.learn_of_disbursement(disbursement_of(withdrawal))

    withdrawal.refresh_from_db()
    (there,) = world.payouts_there()
    cost = there["fees"] + there["vat"]
    assert (withdrawal.state, there["status"], cost > 0) == ("failed", "returned", True)
    assert held("platform:payout_fees", "EGP") + held("platform:payout_taxes", "EGP") == -cost
    assert held(BUDGET, "EGP") == -(200_000 - cost) == -world.paymob.control("GET", "money")["budget"]


def test_a_payout_that_failed_costs_nothing(world: EgyptWorld) -> None:
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    world.paymob.control("POST", f"payouts/{withdrawal.provider_payout_id}", {"outcome": "fail"})

    world.learn_of_disbursement(disbursement_of(withdrawal))

    withdrawal.refresh_from_db()
    assert withdrawal.state == "failed"
    assert held(BUDGET, "EGP") == -200_000 == -world.paymob.control("GET", "money")["budget"]


def test_what_is_missing_is_said_in_order(world: EgyptWorld) -> None:
    payee = world.freelancer(onboarded=False)
    world.earned(payee)
    with pytest.raises(IdentityMissing):
        world.withdraw(payee, pounds("850.00"))
    submitted = identity.submit(
        actor=payee, legal_name="Mona Ali Hassan", national_id=NATIONAL_ID, proof=world.proof(), now=world.now
    )
    with pytest.raises(IdentityUnconfirmed):
        world.withdraw(payee, pounds("850.00"))
    identity.confirm(
        actor=world.staff("support"), identity_id=submitted.pk, national_id=NATIONAL_ID, note="Seen", now=world.now
    )
    with pytest.raises(DestinationMissing):
        world.withdraw(payee, pounds("850.00"))


def test_a_withdrawal_waits_for_the_cool_down_of_its_destination(world: EgyptWorld) -> None:
    payee = world.freelancer(onboarded=False)
    world.earned(payee)
    world.identify(payee)
    world.add_wallet(payee, "01000000001")
    world.fill_budget(pounds("2000.00"))

    withdrawal = world.withdrawn(payee, pounds("850.00"))
    assert (withdrawal.state, world.payouts_there()) == ("pending", [])
    world.wait(COOL_DOWN)
    world.allot()

    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"


def test_too_little_and_too_much_are_refused(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    with pytest.raises(AmountTooSmall):
        world.withdraw(payee, pounds("0.50"))
    with pytest.raises(InsufficientFunds):
        world.withdraw(payee, pounds("850.01"))


def test_nothing_is_paid_to_somebody_whose_identity_was_rejected_meanwhile(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    current = identity.current(user_id(payee))
    assert current is not None
    identity.reject(actor=world.staff("support"), identity_id=current.pk, note="Not theirs", now=world.now)
    world.fill_budget(pounds("2000.00"))
    assert (disbursement_of(withdrawal).allotted_at, world.payouts_there()) == (None, [])

    identity.submit(
        actor=payee, legal_name="Mona Ali Hassan", national_id=NATIONAL_ID, proof=world.proof(), now=world.now
    )
    again = identity.current(user_id(payee))
    assert again is not None
    note = "Seen again"
    identity.confirm(
        actor=world.staff("support"), identity_id=again.pk, national_id=NATIONAL_ID, note=note, now=world.now
    )
    world.allot()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
