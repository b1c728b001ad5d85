"""The payout budget: who is paid while it is short, in which order, and what finance records."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from multitask.payments.errors import Forbidden, KeyReused, ReferenceUsed, WithdrawalLeft, WrongState
from multitask.payments.models import AuditEvent, BudgetRecord, Disbursement, Operation, PayoutBudget, Withdrawal
from multitask.payments.payouts import budget, budget_records, withdrawal_cancellation
from multitask.providers.paymob.times import day as cairo_day
from multitask.users.actor import Actor
from tests.egypt_world import BANK, BUDGET, COLLECTED, EXCEEDS, EgyptWorld, disbursement_of, pounds
from tests.integration.races import together
from tests.payments_world import held

TEN_PAYOUTS = 10


def earners(world: EgyptWorld, number: int) -> list[Actor]:
    """So many payees with 85 pounds available each."""
    found = [world.freelancer(onboarded=False) for _ in range(number)]
    for payee in found:
        world.identify(payee)
        world.add_wallet(payee, "01000000001")
    world.wait(days=4)
    for payee in found:
        world.earned(payee, pounds("100.00"))
    return found


def completed() -> list[int]:
    rows = Withdrawal.objects.filter(state="completed").order_by("disbursement__pk")
    return list(rows.values_list("pk", flat=True))


def test_what_the_budget_does_not_cover_waits_and_leaves_in_order(world: EgyptWorld) -> None:
    payees = earners(world, 5)
    world.fill_budget(pounds("200.00"))
    made = [world.withdraw(payee, pounds("85.00")) for payee in payees]
    world.work()

    assert completed() == [withdrawal.pk for withdrawal in made[:2]]
    waiting = Disbursement.objects.filter(allotted_at=None)
    assert waiting.count() == 3

    world.fill_budget(pounds("100.00"))
    assert completed() == [withdrawal.pk for withdrawal in made[:3]]
    world.fill_budget(pounds("500.00"))
    assert completed() == [withdrawal.pk for withdrawal in made]
    assert held(BUDGET, "EGP") == -world.paymob.control("GET", "money")["budget"]


def test_a_share_of_the_amount_is_kept_for_its_costs(world: EgyptWorld, settings: Settings) -> None:
    settings.PAYOUT_FEE_RESERVE_MINOR, settings.PAYOUT_FEE_RESERVE_BASIS_POINTS = 300, 150
    first, second = earners(world, 2)
    world.fill_budget(pounds("89.27"))  # One piastre less than 85.00, 3.00 and 1.5 percent, rounded up.
    made = [world.withdrawn(payee, pounds("85.00")) for payee in (first, second)]
    assert budget.needed(Disbursement.objects.all()) == 2 * (8_500 + budget.costs_of(8_500)) == 2 * 8_928
    assert completed() == []
    world.fill_budget(pounds("0.01"))
    assert completed() == [made[0].pk]


def test_a_small_one_does_not_overtake_a_large_one(world: EgyptWorld) -> None:
    first, second = earners(world, 2)
    world.fill_budget(pounds("50.00"))
    large = world.withdrawn(first, pounds("85.00"))
    small = world.withdrawn(second, pounds("10.00"))
    assert (large.state, small.state) == ("pending", "pending")
    world.fill_budget(pounds("200.00"))
    assert completed() == [large.pk, small.pk]


def test_a_waiting_withdrawal_can_be_cancelled_and_lets_the_next_go(world: EgyptWorld) -> None:
    first, second = earners(world, 2)
    world.fill_budget(pounds("50.00"))
    large = world.withdrawn(first, pounds("85.00"))
    small = world.withdrawn(second, pounds("10.00"))

    withdrawal_cancellation.cancel(actor=first, withdrawal_id=large.pk, now=world.now)
    world.work()

    assert completed() == [small.pk]
    assert world.wallet(first, "EGP").available == pounds("85.00")
    with pytest.raises(WithdrawalLeft):
        withdrawal_cancellation.cancel(actor=second, withdrawal_id=small.pk, now=world.now)


def test_a_refusal_for_a_short_budget_keeps_its_place(world: EgyptWorld) -> None:
    payee = world.payee(EXCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))

    assert (withdrawal.state, disbursement_of(withdrawal).allotted_at) == ("pending", None)
    assert PayoutBudget.objects.get().refused_at is not None
    assert budget.allot(provider="paymob", currency="EGP", now=world.now) == 0
    assert held(f"user:{payee.user_id}:withdrawing", "EGP") == 85_000


def test_a_refusal_is_not_tried_again_at_once(world: EgyptWorld) -> None:
    payee = world.payee(EXCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.withdrawn(payee, pounds("850.00"))

    def attempts() -> int:
        return Operation.objects.get(kind="disburse").generation

    before = attempts()
    for _ in range(14):
        world.wait(minutes=1)
        budget.compare(provider="paymob", currency="EGP", now=world.now)
        world.allot()
    assert attempts() == before
    world.wait(minutes=1)
    world.allot()
    assert attempts() == before + 1
    world.fill_budget(pounds("50.00"))
    assert attempts() == before + 2


@pytest.mark.parametrize("is_reported_first", [True, False])
def test_a_refusal_that_was_noted_by_a_clock_that_was_ahead_stops_nothing(
    world: EgyptWorld, is_reported_first: bool
) -> None:
    payee = world.payee(EXCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.withdrawn(payee, pounds("850.00"))
    before = Operation.objects.get(kind="disburse").generation
    PayoutBudget.objects.update(refused_at=world.now + timedelta(hours=3))
    if is_reported_first:
        budget.compare(provider="paymob", currency="EGP", now=world.now)
    world.allot()
    assert Operation.objects.get(kind="disburse").generation == before + 1


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_ten_leave(world: EgyptWorld) -> None:
    payees = earners(world, 50)
    cost = 85_00 + 200 + 43 + 34  # the sandbox's fee and its tax, rounded up
    world.fill_budget(pounds(f"{TEN_PAYOUTS * cost / 100:.2f}"))

    made = together([lambda payee=payee: world.withdraw(payee, pounds("85.00")) for payee in payees])
    world.work()

    assert all(isinstance(one, Withdrawal) for one in made)
    oldest = list(Withdrawal.objects.order_by("disbursement__pk").values_list("pk", flat=True))
    assert completed() == oldest[:TEN_PAYOUTS]
    world.fill_budget(pounds("10000.00"))
    assert completed() == oldest
    there = [row["client_reference"] for row in world.payouts_there()]
    wanted = Disbursement.objects.order_by("pk").values_list("reference", flat=True)
    assert there == [str(reference) for reference in wanted]


def test_settlements_and_top_ups_are_booked_and_corrected(world: EgyptWorld) -> None:
    world.funded()
    finance = world.staff("finance")
    more = {"provider": "paymob", "happened_on": world.now.date(), "now": world.now}
    settled = budget_records.settle_to_bank(
        actor=finance, amount=pounds("1000.00"), fee=pounds("30.00"), reference="S-1", request_key="k1", **more
    )
    assert (held(COLLECTED, "EGP"), held(BANK, "EGP")) == (0, -97_000)
    assert held("platform:processing_costs", "EGP") == -3_000
    again = budget_records.settle_to_bank(
        actor=finance, amount=pounds("1000.00"), fee=pounds("30.00"), reference="S-1", request_key="k1", **more
    )
    assert again == settled
    with pytest.raises(KeyReused):
        budget_records.settle_to_bank(
            actor=finance, amount=pounds("999.00"), fee=pounds("30.00"), reference="S-1", request_key="k1", **more
        )
    with pytest.raises(ReferenceUsed):
        budget_records.settle_to_bank(actor=finance, amount=pounds("5.00"), fee=pounds("0.00"), reference="S-1", **more)
    topped = budget_records.top_up(actor=finance, amount=pounds("500.00"), reference="T-1", **more)
    assert (held(BANK, "EGP"), held(BUDGET, "EGP")) == (-47_000, -50_000)

    budget_records.correct(actor=finance, record_id=topped.pk, note="It was 50", now=world.now)
    assert (held(BANK, "EGP"), held(BUDGET, "EGP")) == (-97_000, 0)
    with pytest.raises(WrongState):
        budget_records.correct(actor=finance, record_id=topped.pk, note="Again", now=world.now)
    assert BudgetRecord.objects.count() == 3


def test_costs_that_no_payout_reports_are_booked_and_corrected(world: EgyptWorld) -> None:
    world.fill_budget(pounds("500.00"))
    finance = world.staff("finance")

    def book(**changed: Any) -> BudgetRecord:
        given = {"fee": pounds("5.00"), "tax": pounds("0.70"), "reference": "INV-1", "note": "Late", "request_key": "k"}
        when = {"happened_on": world.now.date(), "now": world.now}
        return budget_records.book_costs(actor=finance, provider="paymob", **when, **(given | changed))

    booked = book()
    assert held(BUDGET, "EGP") == -49_430
    assert (held("platform:payout_fees", "EGP"), held("platform:payout_taxes", "EGP")) == (-500, -70)
    assert (booked.fee, booked.tax) == (pounds("5.00"), pounds("0.70"))
    assert book() == booked
    with pytest.raises(KeyReused):
        book(tax=pounds("0.80"))
    with pytest.raises(ReferenceUsed):
        book(request_key="")
    for wrong in ({"note": " "}, {"tax": pounds("-0.10")}, {"fee": pounds("0.00"), "tax": pounds("0.00")}):
        with pytest.raises(WrongState):
            book(request_key="", reference="INV-2", **wrong)
    with pytest.raises(Forbidden):
        budget_records.book_costs(
            actor=world.staff("support"), provider="paymob", fee=pounds("5.00"), tax=pounds("0.00"), reference="INV-3",
            note="Late", happened_on=world.now.date(), now=world.now,
        )  # fmt: skip

    event = AuditEvent.objects.get(event="payout_costs_booked")
    assert (event.amount_minor, event.note, event.details["fee_minor"]) == (570, "Late", 500)
    budget_records.correct(actor=finance, record_id=booked.pk, note="Another month", now=world.now)
    assert held(BUDGET, "EGP") == -50_000
    assert (held("platform:payout_fees", "EGP"), held("platform:payout_taxes", "EGP")) == (0, 0)


def test_costs_that_came_back_without_a_payout_are_recorded_and_corrected(world: EgyptWorld) -> None:
    world.fill_budget(pounds("500.00"))
    finance = world.staff("finance")
    given = {"fee": pounds("5.00"), "tax": pounds("0.70"), "reference": "CN-1", "note": "Credit note"}
    when = {"happened_on": world.now.date(), "now": world.now}
    credited = budget_records.book_costs(actor=finance, provider="paymob", came_back=True, **when, **given)
    assert (held(BUDGET, "EGP"), credited.tax) == (-50_570, pounds("0.70"))
    assert (held("platform:payout_fees", "EGP"), held("platform:payout_taxes", "EGP")) == (500, 70)
    assert AuditEvent.objects.get(event="costs_credited").amount_minor == 570
    # The same reference may stand on an invoice too.
    budget_records.book_costs(actor=finance, provider="paymob", **when, **given)
    assert held(BUDGET, "EGP") == -50_000
    budget_records.correct(actor=finance, record_id=credited.pk, note="Not ours", now=world.now)
    assert held(BUDGET, "EGP") == -49_430


def test_a_credit_lets_a_waiting_payout_go(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee, pounds("100.00"))
    world.fill_budget(pounds("80.00"))
    world.withdraw(payee, pounds("85.00"))
    world.work()
    assert completed() == []
    world.paymob.control("POST", "topups", {"amount": 2_000})
    budget_records.book_costs(
        actor=world.staff("finance"), provider="paymob", fee=pounds("20.00"), tax=pounds("0.00"), reference="CN-1",
        note="Credit note", happened_on=world.now.date(), came_back=True, now=world.now,
    )  # fmt: skip
    world.work()
    assert len(completed()) == 1


def test_only_finance_records(world: EgyptWorld) -> None:
    more = {"provider": "paymob", "happened_on": world.now.date(), "now": world.now, "reference": "T"}
    for actor in (world.staff("support"), world.client()):
        with pytest.raises(Forbidden):
            budget_records.top_up(actor=actor, amount=pounds("5.00"), **more)
    with pytest.raises(WrongState):
        budget_records.top_up(
            actor=world.staff("finance"),
            amount=pounds("5.00"),
            **(more | {"happened_on": cairo_day(world.now) + timedelta(days=1)}),
        )


def test_the_budget_is_compared_with_what_the_provider_says(world: EgyptWorld) -> None:
    world.fill_budget(pounds("200.00"))
    compared = budget.compare(provider="paymob", currency="EGP", now=world.now)
    assert (compared.reported_minor, compared.differs_since) == (20_000, None)
    world.paymob.control("POST", "topups", {"amount": 500})
    compared = budget.compare(provider="paymob", currency="EGP", now=world.now)
    assert (compared.reported_minor, compared.expected_minor, compared.differs_since) == (20_500, 20_000, world.now)


def test_a_record_is_about_a_day_that_has_come_in_cairo(world: EgyptWorld, finance: Actor) -> None:
    after_midnight = datetime(2026, 7, 9, 21, 30, tzinfo=UTC)  # 0:30 of the tenth in Cairo

    def record(day: int) -> BudgetRecord:
        return budget_records.top_up(
            actor=finance,
            provider="paymob",
            amount=pounds("10.00"),
            happened_on=date(2026, 7, day),
            reference=f"TOPUP-{day}",
            now=after_midnight,
        )

    assert record(10).happened_on.day == 10
    with pytest.raises(WrongState, match="not come yet"):
        record(11)
