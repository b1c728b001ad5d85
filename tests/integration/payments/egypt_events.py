"""Business events of a platform route, for the chart of accounts: how each comes to be, and how it is played."""

from dataclasses import replace

from multitask.payments.escrow import refund_payouts
from multitask.payments.models import BudgetRecord, Disbursement, Withdrawal
from multitask.payments.payouts import budget_records
from multitask.users.actor import Actor
from tests.egypt_world import COOL_DOWN, PENDS, RETURNS, SUCCEEDS, EgyptWorld, disbursement_of, pounds
from tests.payments_world import Job

DAY_UNTIL_BACK = 86_401


def paid(world: EgyptWorld) -> Job:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    world.pay_there(job)
    return job


def record_settlement(world: EgyptWorld, number: int) -> BudgetRecord:
    return budget_records.settle_to_bank(
        actor=world.staff(),
        provider="paymob",
        amount=pounds("1000.00"),
        fee=pounds("34.77"),
        happened_on=world.now.date(),
        reference=f"S-{number}",
        now=world.now,
    )


def record_costs(world: EgyptWorld, number: int) -> BudgetRecord:
    return _record_costs(world, f"INV-{number}")


def credit_costs(world: EgyptWorld, number: int) -> BudgetRecord:
    return _record_costs(world, f"CREDIT-{number}", came_back=True)


def _record_costs(world: EgyptWorld, reference: str, *, came_back: bool = False) -> BudgetRecord:
    return budget_records.book_costs(
        actor=world.staff(),
        provider="paymob",
        fee=pounds("5.00"),
        tax=pounds("0.70"),
        happened_on=world.now.date(),
        reference=reference,
        came_back=came_back,
        note="Invoice of the month",
        now=world.now,
    )


def correct(world: EgyptWorld, record: BudgetRecord) -> None:
    budget_records.correct(actor=world.staff(), record_id=record.pk, note="Typed twice", now=world.now)


def withdrawal_under_way(world: EgyptWorld) -> Withdrawal:
    """A payout that the provider has taken and not made yet."""
    world.fill_budget(pounds("2000.00"))
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    return world.withdrawn(payee, pounds("850.00"))


def arrive(world: EgyptWorld, withdrawal: Withdrawal) -> None:
    world.paymob.control("POST", f"payouts/{withdrawal.provider_payout_id}", {"outcome": "succeed"})
    world.learn_of_disbursement(disbursement_of(withdrawal))


def returned(world: EgyptWorld) -> Disbursement:
    """A payout that was made and has come back, which nobody here knows yet."""
    world.fill_budget(pounds("2000.00"))
    payee = world.payee(RETURNS)
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    world.paymob.advance(DAY_UNTIL_BACK)
    return disbursement_of(withdrawal)


def learn_with_costs(world: EgyptWorld, disbursement: Disbursement) -> None:
    """Learn of a return as a provider reports it that gives its fee back, which Paymob does not."""
    state = world.paymob_provider.read_disbursement(str(disbursement.provider_payout_id))
    refund_payouts.confirm("paymob", replace(state, fee_returned=True), world.now)


def paid_at_a_kiosk(world: EgyptWorld) -> Job:
    """The client has asked for the money back and has a wallet; finance has filled the budget."""
    world.fill_budget(pounds("2000.00"))
    client: Actor = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.add_wallet(client, SUCCEEDS)
    world.wait(COOL_DOWN)
    return job


def refund_from_budget(world: EgyptWorld, job: Job) -> None:
    world.refund(job)
    world.work()
    world.allot()


EGYPT_EVENTS = (
    (
        "The client pays",
        "Paymob keeps its fee too, but reports it with the settlement.",
        paid,
        lambda world, job: world.learn_of_payment(job),
    ),
    (
        "The escrow is released, and available",
        "The platform holds the money, so nothing is transferred and nothing has to settle.",
        lambda world: world.completed(pounds("1000.00"), freelancer=world.freelancer(onboarded=False)),
        lambda world, job: (world.release(job), world.work()),
    ),
    (
        "A settlement to the bank is recorded",
        "What was collected goes to the platform's bank, less the provider's fee of 34.77.",
        lambda world: None,
        lambda world, nothing: record_settlement(world, 1),
    ),
    (
        "A top-up of the payout budget is recorded",
        "From the platform's bank.",
        lambda world: None,
        lambda world, nothing: world.record_top_up(pounds("2000.00")),
    ),
    (
        "Costs of payouts are recorded",
        "A fee of 5.00 with its tax that the provider reported late, invoiced, or kept of a payout that failed.",
        lambda world: None,
        lambda world, nothing: record_costs(world, 1),
    ),
    (
        "Costs of payouts come back",
        "A fee of 5.00 with its tax that the provider gave back into the budget, and that no payout shows.",
        lambda world: None,
        lambda world, nothing: credit_costs(world, 1),
    ),
    (
        "A record is taken back",
        "What was recorded wrongly is corrected by its opposite.",
        lambda world: (
            record_settlement(world, 2),
            world.record_top_up(pounds("2000.00")),
            record_costs(world, 2),
            credit_costs(world, 2),
        ),
        lambda world, records: [correct(world, record) for record in records],
    ),
    (
        "A withdrawal is paid from the budget",
        "Fee and tax of the payout are the platform's.",
        withdrawal_under_way,
        arrive,
    ),
    (
        "The bank returns a payout from the budget",
        "Its fee and tax stay spent, and the money is available again.",
        returned,
        lambda world, disbursement: world.learn_of_disbursement(disbursement),
    ),
    (
        "A payout comes back with its costs",
        "Where a provider gives fee and tax back.",
        returned,
        learn_with_costs,
    ),
    (
        "A payment at a kiosk is refunded",
        "The provider cannot send it back, so it is paid out of the budget to a destination of the client.",
        paid_at_a_kiosk,
        refund_from_budget,
    ),
)
