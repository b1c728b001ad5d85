"""The life of the money, with every wallet after every step against figures worked out by hand."""

from multitask.marketplace import work
from multitask.money import Money
from multitask.payments.escrow import releases
from multitask.payments.reads import wallet
from multitask.users.actor import Actor
from tests.payments_world import World, dollars, held, user_id

# available, pending, escrowed, withdrawing, lifetime earnings, lifetime spent; in cents.
Figures = tuple[int, int, int, int, int, int]


def figures(world: World, actor: Actor) -> Figures:
    seen = world.wallet(actor)
    amounts = (
        seen.available, seen.pending, seen.escrowed, seen.withdrawing, seen.lifetime_earnings, seen.lifetime_spent,
    )  # fmt: skip
    return tuple(amount.amount_minor for amount in amounts)  # type: ignore[return-value]


def test_every_wallet_after_every_step(world: World) -> None:
    job = world.hired(freelancer=world.freelancer())
    client, freelancer = job.client, job.freelancer

    def seen() -> tuple[Figures, Figures]:
        return figures(world, client), figures(world, freelancer)

    nothing = (0, 0, 0, 0, 0, 0)
    assert seen() == (nothing, nothing)

    world.ask_to_pay(job)
    assert seen() == (nothing, nothing)

    world.pay(job)
    world.hear()
    paid = (0, 0, 10_000, 0, 0, 10_000)
    assert seen() == (paid, (0, 0, 10_000, 0, 0, 0))

    work.deliver(actor=freelancer, task_id=job.task_id, now=world.now)
    work.complete(actor=client, task_id=job.task_id, now=world.now)
    assert seen() == (paid, (0, 0, 10_000, 0, 0, 0))

    world.release(job)
    spent = (0, 0, 0, 0, 0, 10_000)
    assert seen() == (spent, (0, 8_500, 0, 0, 8_500, 0))

    world.work()
    assert seen() == (spent, (0, 8_500, 0, 0, 8_500, 0))

    world.settle(job)
    assert seen() == (spent, (8_500, 0, 0, 0, 8_500, 0))

    withdrawal = world.withdrawn(freelancer, dollars("60.00"))
    assert seen() == (spent, (2_500, 0, 0, 6_000, 8_500, 0))

    world.arrive(withdrawal)
    assert seen() == (spent, (2_500, 0, 0, 0, 8_500, 0))
    assert world.bank_deposits(freelancer) == {"usd": 6_000}


def test_every_account_of_the_books_at_the_end(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    freelancer = user_id(job.freelancer)
    # 2.9% of 100.00 and 30 cents are what the provider keeps, and the platform bears it.
    assert held("platform:processing_costs") == -320
    assert held("platform:fees") == 1_500
    assert held("provider:stripe:balance") == -(10_000 - 320 - 8_500)
    assert held(f"escrow:{job.escrow.pk}") == 0
    for purse in ("pending", "available", "withdrawing"):
        assert held(f"user:{freelancer}:{purse}") == 0
    assert held(f"provider:stripe:account:{world.account(job.freelancer).pk}") == 0


def test_the_books_say_what_the_provider_says(world: World) -> None:
    job = world.settled()
    world.withdrawn(job.freelancer, dollars("30.00"))
    account = world.account(job.freelancer)
    record = world.sandbox.money()["accounts"][account.provider_account_id]
    at_provider = sum(sum(column.values()) for column in record.values())
    assert at_provider == -held(f"provider:stripe:account:{account.pk}") == 8_500


def test_a_refund_takes_back_what_was_spent(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    assert figures(world, job.client) == (0, 0, 6_000, 0, 0, 10_000)
    world.work()
    assert figures(world, job.client) == (0, 0, 6_000, 0, 0, 6_000)
    assert figures(world, job.freelancer) == (0, 0, 6_000, 0, 0, 0)


def test_what_freelancers_earn_in_two_currencies_is_kept_apart(world: World) -> None:
    job = world.settled()
    world.add_bank(job.freelancer, "EUR")
    world.settled(Money(20_000, "EUR"), freelancer=job.freelancer)
    dollars_first = wallet.balances(user_id=user_id(job.freelancer), default_currency="USD")
    assert [(b.available.amount_minor, b.available.currency) for b in dollars_first] == [
        (8_500, "USD"),
        (17_000, "EUR"),
    ]
    assert world.wallet(job.freelancer, "EUR").lifetime_earnings == Money(17_000, "EUR")


def test_the_timeline_tells_the_whole_story(world: World) -> None:
    job = world.settled()
    assert [event.event for event in releases.timeline(job.escrow)] == [
        "payment_requested", "funded", "delivered", "completed", "released", "transferred", "settled",
    ]  # fmt: skip
