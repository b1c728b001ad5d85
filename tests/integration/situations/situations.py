"""What a situation is, what situations start from, and those of chargebacks."""

from collections.abc import Callable
from dataclasses import dataclass

from multitask.payments.escrow import disputes, refunds
from tests.integration.situations.bank import (
    accept,
    answer,
    ask_again,
    bounce,
    closed_before_created,
    contest,
    escalate,
    lose,
    lose_and_win,
    refund_inquiry,
    refund_inquiry_late,
    refund_warning,
    refund_warning_of_another_payment,
    refunded_and_lost,
    reinstate,
    warn,
    win,
    win_a_part,
)
from tests.payments_world import Job, World, dollars

CHARGEBACKS = "Chargebacks"
AFTER_RELEASE = "Refunds after the release"
OUTSIDE = "Money that moves without us"
ACCOUNTS = "Accounts that change or end"
CURRENCIES = "Currency and country"
CARDS = "Clients and cards at the provider"
PLATFORM = "The platform's own money"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One situation: what it starts from, what goes wrong, and how the escrow stands afterwards.

    `reads_statements`: it needs a provider of its own, whose statement shows nobody else's money.
    """

    group: str
    title: str
    begin: Callable[[World], Job]
    happen: Callable[[World, Job], object]
    state: str
    is_held: bool = False
    reads_statements: bool = False

    @property
    def name(self) -> str:
        """The title as the name of a test."""
        return self.title.lower().replace(" ", "-").replace(",", "")


def paid_out(world: World) -> Job:
    """The freelancer has withdrawn the share."""
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    return job


def partly_refunded(world: World) -> Job:
    job = world.started()
    refunds.ask_or_refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=dollars("30.00"), reason="Less to draw", now=world.now
    )
    world.work()
    return job


def disputed(world: World) -> Job:
    job = world.delivered()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    return job


CHARGEBACK_SITUATIONS = (
    Situation(
        group=CHARGEBACKS,
        title="An inquiry asks about a payment",
        begin=lambda world: world.started(),
        happen=lambda world, job: contest(world, job, inquiry=True),
        state="funded",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A refund by the staff ends an inquiry",
        begin=lambda world: world.started(),
        happen=refund_inquiry,
        state="refunded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="An inquiry asks about a payment after the release",
        begin=lambda world: world.settled(),
        happen=lambda world, job: contest(world, job, inquiry=True),
        state="released",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A refund by the staff after the release ends an inquiry",
        begin=lambda world: world.settled(),
        happen=refund_inquiry_late,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A card's bank warns of fraud",
        begin=lambda world: world.started(),
        happen=warn,
        state="funded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A fraud warning is refunded in time",
        begin=lambda world: world.started(),
        happen=refund_warning,
        state="refunded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A fraud warning about a payment that fits no escrow is refunded",
        begin=lambda world: world.hired(),
        happen=refund_warning_of_another_payment,
        state="funded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is answered with evidence and won",
        begin=lambda world: world.started(),
        happen=lambda world, job: answer(world, job, "winning_evidence"),
        state="funded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is answered with evidence and lost",
        begin=lambda world: world.started(),
        happen=lambda world, job: answer(world, job, "losing_evidence"),
        state="funded",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is accepted",
        begin=lambda world: world.released(),
        happen=accept,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="An inquiry becomes a chargeback",
        begin=lambda world: world.started(),
        happen=escalate,
        state="funded",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback opens while the money is in escrow",
        begin=lambda world: world.started(),
        happen=contest,
        state="funded",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback opens while the two sides are in dispute",
        begin=disputed,
        happen=contest,
        state="disputed",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback opens while the share is pending",
        begin=lambda world: world.released(),
        happen=contest,
        state="released",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback opens while the share is available",
        begin=lambda world: world.settled(),
        happen=contest,
        state="released",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is won",
        begin=lambda world: world.settled(),
        happen=win,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is lost while the money is in escrow",
        begin=lambda world: world.started(),
        happen=lose,
        state="charged_back",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is lost while the two sides are in dispute",
        begin=disputed,
        happen=lose,
        state="charged_back",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback of a part is lost while the money is in escrow",
        begin=lambda world: world.started(),
        happen=lambda world, job: lose(world, job, amount=4_000),
        state="funded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is lost after a partial refund",
        begin=partly_refunded,
        happen=lambda world, job: lose(world, job, amount=7_000),
        state="charged_back",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A refund fails after its whole payment was lost",
        begin=refunded_and_lost,
        happen=bounce,
        state="charged_back",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is lost after the release",
        begin=lambda world: world.settled(),
        happen=lose,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is lost after the payout",
        begin=paid_out,
        happen=lose,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is closed before it is known to be open",
        begin=lambda world: world.started(),
        happen=closed_before_created,
        state="funded",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback that was lost is won later",
        begin=lambda world: world.settled(),
        happen=lose_and_win,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A part of a chargeback that was lost is given back",
        begin=lambda world: world.settled(),
        happen=lambda world, job: reinstate(world, lose(world, job), "reinstated"),
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback is won and the bank keeps a part",
        begin=lambda world: world.settled(),
        happen=win_a_part,
        state="released",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A closed inquiry becomes a chargeback",
        begin=lambda world: world.settled(),
        happen=ask_again,
        state="released",
        is_held=True,
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback of delivered work that was lost is won later",
        begin=lambda world: world.delivered(),
        happen=lose_and_win,
        state="funded",
    ),
    Situation(
        group=CHARGEBACKS,
        title="A chargeback that was lost while the two sides were in dispute is won later",
        begin=disputed,
        happen=lose_and_win,
        state="disputed",
    ),
)
