"""The staff: two finance members who process the work queue of the back office."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.payments import staff_commands
from multitask.payments.escrow import refunds, refunds_by_bank
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Dispute, Payment, Refund
from multitask.payments.payouts import transfer_retries
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User
from multitask.web.backoffice import work_items
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.simulation.answers import Answers
from tests.simulation.conditions import CONVERSION, HOUR
from tests.simulation.deal import written
from tests.simulation.finance import Finance
from tests.simulation.people import Person
from tests.simulation.story import Story


class Staff:
    """Two staff members who process the work queue; either can do everything."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.people = [self._hired(name) for name in ("finance1", "finance2")]
        self._asked_by: dict[int, Person] = {}
        self._finance = Finance(story, self._do)
        self._answers = Answers(story, self._do)

    def _hired(self, name: str, role: str = "finance") -> Person:
        person = Person(self.story, name)
        user = User.objects.create_user(name, f"{name}@example.com", person.password, staff_role=role, is_staff=True)
        person.id = user.pk
        person.app = TOTPDevice.objects.create(user=user, name="phone", confirmed=True).bin_key
        return person

    def work(self, is_over: Callable[[], bool]) -> None:
        """Work through the queue from time to time."""
        while not is_over():
            self.story.rest(self.story.rng.choice((5 * HOUR, 20 * HOUR, 40 * HOUR)))
            self.answer()

    @property
    def has_records_due(self) -> bool:
        """Return whether something happened outside that the staff has not recorded yet."""
        return False

    def answer(self) -> int:
        """Work through the whole queue; return how many rows there were."""
        now = datetime.fromtimestamp(self.story.now, UTC)
        answers: dict[str, Callable[[Any], object]] = {
            "disputes": self._settle,
            "approvals": self._decide,
            "review": self._return_payment,
            "refunds": self._retry_refund,
            "transfers": lambda row: self._do("retry_transfer", transfer_retries.retry, escrow_id=row.subject_id),
            "stuck": lambda row: self._do(
                "retry_operation", staff_commands.retry_operation, operation_id=row.pk, note="It is stuck"
            ),
        }
        found = 0
        for item in work_items.ITEMS:
            # Nobody looks at everything each time, before it is calm.
            if item.name not in answers or not (self.story.is_calm or self.story.chance(0.5)):
                continue
            for row in list(item.rows(now).order_by("pk")):
                found += 1
                answers[item.name](row)
        if self.story.is_calm:
            for event in IncomingEvent.objects.filter(state=EventState.FAILED).order_by("pk"):
                self._do("replay", incoming.replay, event_id=event.pk, note="What it waited for has ended")
        has_losses = self.story.loses or self.story.is_egyptian
        return found + self._answers.work() + (self._finance.work() if has_losses else 0)

    def _return_payment(self, payment: Payment) -> None:
        # A card that has refused two refunds refuses the next one too.
        refused = payment.refunds.filter(state="failed").count() if CONVERSION in self.story.situations else 0
        if refused < 2:
            self._do("return_payment", unapplied_payments.return_payment, payment_id=payment.pk)
        else:
            self._pay_by_bank(payment.refunds.filter(state="failed").latest("pk"))

    def _retry_refund(self, refund: Refund) -> None:
        # Finance decides about those after a release. A card that refused the retry refuses the next one too.
        if refund.source == "released":
            return
        if not refund.request_key.startswith("resend:"):
            self._do("retry_refund", refunds.retry, refund_id=refund.pk)
        elif refund.holds_money:
            self._pay_by_bank(refund)

    def _pay_by_bank(self, refund: Refund) -> None:
        """Record that a refund which no card takes was paid by bank transfer, which a colleague approves."""
        if not refund.escrow.approvals.filter(decided_at=None).exists():
            self._do("refund_by_bank", refunds_by_bank.record, refund_id=refund.pk, note="Transfer 77")

    def _settle(self, dispute: Dispute) -> None:
        who = self.story.rng.choice(self.people)
        left = dispute.escrow.remaining.amount_minor
        if dispute.escrow.frozen_at is not None:
            return
        to_client = self.story.rng.choice((0, left, left // 2 // 1000 * 1000))
        body = {
            "client_amount": written(to_client, dispute.escrow.currency),
            "freelancer_amount": written(left - to_client, dispute.escrow.currency),
            "note": "As agreed",
        }
        answer = who.post(f"/payments/disputes/{dispute.pk}/settle/", body, key=who.key())
        if answer is not None and answer.status == 202:
            self._asked_by[answer.body["id"]] = who
        elif answer is not None and answer.is_done:
            settled = Dispute.objects.filter(pk=dispute.pk, state="settled", client_minor=to_client)
            self.story.responses.record(f"dispute {dispute.pk}", f"settled with {to_client}", settled.exists)

    def _decide(self, approval: Any) -> None:
        who = next(person for person in self.people if person.id != approval.requested_by_id)
        other = next(person for person in self.people if person is not who)
        body = {"approve": self.story.chance(0.8)}
        path = f"/payments/approvals/{approval.pk}/decide/"
        if self.story.chance(0.2):
            other.must_not("POST", path, body)
        answer = who.post(path, body, key=who.key())
        if answer is not None and answer.status in {409, 422} and body["approve"]:
            # It cannot be carried out any more.
            body["approve"] = False
            answer = who.post(path, body, key=who.key())
        if answer is not None and answer.is_done:
            decided = type(approval).objects.filter(pk=approval.pk, approved=body["approve"])
            self.story.responses.record(f"approval {approval.pk}", f"decided {body['approve']}", decided.exists)

    def _do(self, name: str, command: Callable[..., object], **arguments: Any) -> bool:
        who = self.story.rng.choice(self.people)

        def carry_out() -> object:
            actor = Actor.of(User.objects.get(pk=who.id), ip=who.address, assurance=Assurance.FRESH)
            return command(actor=actor, now=datetime.fromtimestamp(self.story.now, UTC), **{"note": "", **arguments})

        return who.command(f"{name} {next(iter(arguments.values()))}", carry_out)
