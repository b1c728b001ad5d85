"""The staff in Egypt: it confirms identities, tops the budget up, records settlements, decides about lost payouts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from multitask.money import Money
from multitask.payments.escrow import undecided_refunds
from multitask.payments.models import (
    Approval,
    BudgetRecord,
    Disbursement,
    Operation,
    PayeeIdentity,
    PayoutBudget,
    Refund,
)
from multitask.payments.operations import engine
from multitask.payments.payouts import (
    budget,
    budget_records,
    destinations,
    disbursements,
    encryption,
    identity,
    undecided_payouts,
)
from multitask.payments.payouts.undecided_payouts import Costs
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User
from sandboxes.kit.documents import Doc
from tests.simulation.egypt.banks import Banks
from tests.simulation.egypt.deal import CURRENCY, GOOD, EgyptDeal
from tests.simulation.egypt.paymob import Paymob
from tests.simulation.staff import Staff
from tests.simulation.story import Story

PROVIDER = "paymob"


@dataclass
class TopUp:
    """Money that goes from the bank into the budget: made at Paymob, and recorded by us, in either order."""

    reference: str
    amount: int
    is_made: bool = False


@dataclass
class Settled:
    """Money that Paymob has sent to the bank, and that we have to record."""

    reference: str
    amount: int
    fee: int


class EgyptStaff(Staff):
    """The staff of a platform that pays out of a budget."""

    def __init__(self, story: Story, paymob: Paymob, banks: Banks) -> None:
        super().__init__(story)
        self.paymob, self._banks = paymob, banks
        self._support = self._hired("support1", role="support")
        self._top_ups: list[TopUp] = []
        self._settled: list[Settled] = []
        self.deals: list[EgyptDeal] = []

    @property
    def has_records_due(self) -> bool:
        """Return whether a settlement or a top-up is not recorded yet."""
        return bool(self._settled or self._top_ups)

    def answer(self) -> int:
        """Work through everything; return how much there was."""
        if self.story.is_calm:
            self._banks.end()
            self._have_clients_paid()
        for work in (self._identities, self._settlements, self._budget, self._undecided, self._refunds, self._compare):
            if self.story.is_calm or self.story.chance(0.6):
                work()
        return super().answer()

    # -- identities

    def _identities(self) -> None:
        for submitted in PayeeIdentity.objects.filter(state="submitted", replaced_at=None).order_by("pk"):
            if self.story.is_calm or self.story.chance(0.85):
                self._confirm(submitted)
            else:
                self._by_support("reject_identity", identity.reject, identity_id=submitted.pk, note="Not readable")

    def _confirm(self, submitted: PayeeIdentity) -> None:
        number = encryption.decrypt(submitted.public_id, submitted.encrypted)["national_id"]
        ident = submitted.pk
        self._by_support("confirm_identity", identity.confirm, identity_id=ident, national_id=number, note="Seen")

    def _by_support(self, name: str, command: Any, **arguments: Any) -> bool:
        who = self._support

        def carry_out() -> object:
            actor = Actor.of(User.objects.get(pk=who.id), ip=who.address, assurance=Assurance.FRESH)
            return command(actor=actor, now=datetime.fromtimestamp(self.story.now, UTC), **arguments)

        return who.command(f"{name} {arguments['identity_id']}", carry_out)

    # -- settlements and top-ups

    def _settlements(self) -> None:
        """Paymob settles from time to time; we record that then or later."""
        if (self.story.is_calm and not self._settled) or self.story.chance(0.3):
            found = self.paymob.settle()
            if found is not None:
                self.story.say(f"Paymob settles {found}")
                self._settled.append(Settled(*found))
        for settled in list(self._settled):
            if self.story.is_calm or self.story.chance(0.6):
                given = {"amount": _pounds(settled.amount), "fee": _pounds(settled.fee)}
                if self._record("settle_to_bank", budget_records.settle_to_bank, settled.reference, given):
                    self._settled.remove(settled)

    def _budget(self) -> None:
        waiting = Disbursement.objects.filter(ended_at=None, allotted_at=None)
        # A refusal shows that costs are higher than what is reserved for them.
        refused = PayoutBudget.objects.exclude(refused_at=None).exists() and waiting.exists() and not self._top_ups
        short = budget.needed(waiting) - self._free() + (50_000 if refused else 0)
        if short > 0 and (self.story.is_calm or self.story.chance(0.7)):
            amount = short + self.story.rng.choice((0, 10_000, 500_000))
            self._top_ups.append(TopUp(f"TOPUP-{self.story.number()}", amount))
        for top_up in list(self._top_ups):
            steps = [self._make, self._record_top_up]
            self.story.rng.shuffle(steps)
            for step in steps:
                if self.story.is_calm or self.story.chance(0.6):
                    step(top_up)
            if top_up.is_made and _is_recorded(top_up.reference):
                self._top_ups.remove(top_up)

    def _free(self) -> int:
        """Return what the books have in the budget beyond what is reserved, with the top-ups that are under way."""
        known = PayoutBudget.objects.filter(provider=PROVIDER, currency=CURRENCY).first()
        reserved = 0 if known is None else budget.reserved(known)
        coming = sum(one.amount for one in self._top_ups if not _is_recorded(one.reference))
        there = budget.held(PROVIDER, CURRENCY).amount_minor
        return int(there) + coming - reserved

    def _make(self, top_up: TopUp) -> None:
        if not top_up.is_made:
            top_up.is_made = True
            self.story.say(f"the bank brings {top_up.amount} into the budget")
            self.paymob.top_up(top_up.amount)

    def _record_top_up(self, top_up: TopUp) -> None:
        if not self.story.is_calm and self.story.chance(0.1) and not _is_recorded(top_up.reference):
            self._record("top_up", budget_records.top_up, top_up.reference, {"amount": _pounds(top_up.amount + 100)})
        wrong = _records(top_up.reference).exclude(amount_minor=top_up.amount).first()
        if wrong is not None:
            self._do("correct_record", budget_records.correct, record_id=wrong.pk, note="It was less")
        self._record("top_up", budget_records.top_up, top_up.reference, {"amount": _pounds(top_up.amount)})

    def _record(self, name: str, command: Any, reference: str, given: dict[str, Money]) -> bool:
        if not _is_recorded(reference):
            today = datetime.fromtimestamp(self.story.now, UTC).date()
            more = {"provider": PROVIDER, "happened_on": today, "request_key": f"{reference}-{given['amount']}"}
            self._do(name, command, reference=reference, **given, **more)
        return _is_recorded(reference)

    def _compare(self) -> None:
        known = PayoutBudget.objects.first()
        if known is not None and self.story.chance(0.5):
            self._do("compare_budget", budget_records.compare_now, budget_id=known.pk)

    # -- unknown outcomes

    def _undecided(self) -> None:
        for payout in undecided_payouts.found().order_by("pk"):
            asked = Approval.objects.filter(subject=f"disbursement:{payout.pk}", decided_at=None)
            if not asked.exists():
                self._decide_payout(payout)

    def _decide_payout(self, payout: Disbursement) -> None:
        names = references(payout)
        made = [doc for doc in self.paymob.some("payout") if doc["given"].get("client_reference") in names]
        made = [doc for doc in made if doc["status"] != "failed"]
        if not made:
            self._do(
                "payout_not_made", undecided_payouts.was_not_made, disbursement_id=payout.pk, note="It is not there"
            )
        elif made[0]["status"] in {"successful", "returned"}:
            self._do(
                "payout_paid", undecided_payouts.was_paid, disbursement_id=payout.pk, note="It is there",
                provider_payout_id=made[0]["id"], costs=_costs(made[0]) if self.story.chance(0.5) else None,
            )  # fmt: skip

    def _refunds(self) -> None:
        """Make the refunds in the dashboard whose outcome is unknown and that are not there, or end them."""
        unknown = Operation.objects.filter(kind="create_refund", hold=engine.OUTCOME_UNKNOWN)
        for refund in Refund.objects.filter(pk__in=unknown.values("subject_id"), state="pending").order_by("pk"):
            number = int(refund.payment.provider_collection_id)
            there = next(doc for doc in self.paymob.payments() if doc["number"] == number)
            ours = sum(refund.payment.refunds.filter(state="succeeded").values_list("amount_minor", flat=True))
            if not there["voided"] and there["refunded"] == ours:
                outcome = self.paymob.refund(number, refund.amount_minor)
                self.story.say(f"finance makes refund {refund.pk} in the dashboard: {outcome}")
                if (
                    outcome == "declined"
                    and not Approval.objects.filter(escrow=refund.escrow, decided_at=None).exists()
                ):
                    self._do(
                        "refund_not_made",
                        undecided_refunds.was_not_made,
                        refund_id=refund.pk,
                        note="The card takes none",
                    )

    def _have_clients_paid(self) -> None:
        """Clients whose cash is to go back add a destination at last."""
        waiting = Refund.objects.filter(state="pending", payment__is_refundable=False, disbursement=None)
        owners = set(waiting.values_list("escrow__client_id", flat=True))
        now = datetime.fromtimestamp(self.story.now, UTC)
        for deal in self.deals:
            owner = deal.client.id
            if owner in owners and destinations.snapshot(user_id=owner, currency=CURRENCY, now=now) is None:
                deal.add_destination(deal.client, GOOD)


def references(payout: Disbursement) -> set[str]:
    """Return all names under which a payout may have been sent."""
    calls = Operation.objects.filter(kind__in=undecided_payouts.KINDS, subject_id=payout.pk)
    last = max(calls.values_list("generation", flat=True))
    later = (disbursements.reference(payout, number) for number in range(2, last + 1))
    return {str(payout.reference), *later}


def _records(reference: str) -> Any:
    return BudgetRecord.objects.filter(reference=reference, corrects=None, corrected_by=None)


def _is_recorded(reference: str) -> bool:
    return bool(_records(reference).exists())


def _pounds(piastres: int) -> Money:
    return Money(piastres, CURRENCY)


def _costs(payout: Doc) -> Costs:
    return Costs(fee=_pounds(payout["fees"]), tax=_pounds(payout["vat"]))
