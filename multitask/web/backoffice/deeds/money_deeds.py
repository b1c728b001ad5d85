"""Deeds about an escrow's money."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound, WrongState
from multitask.payments.escrow import disputes, refunds
from multitask.payments.escrow import releases as escrows
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Dispute, Escrow, Payment, Refund
from multitask.payments.payouts import transfers
from multitask.users.actor import Actor, Power
from multitask.web.backoffice import addresses
from multitask.web.backoffice.deeds.deed import Deed, Facts, Order, SharedReasonForm, numbered, second_person, waits_or
from multitask.web.backoffice.deeds.forms import RefundForm, SettleForm
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import money


def escrow_facts(escrow: Escrow) -> Facts:
    """The escrow that a deed is about."""
    return [
        (_("Escrow"), escrow.pk),
        (_("Task"), escrow.task.title),
        (_("Client"), escrow.client.username),
        (_("Freelancer"), escrow.freelancer.username),
        (_("State"), status_labels.label(escrow.state)),
        (_("In escrow"), money(escrow.remaining)),
    ]


class OfEscrow(Deed):
    """A deed whose subject is an escrow."""

    def subject(self, actor: Actor, subject_id: int | None) -> Escrow:
        """The escrow."""
        return access.escrow(actor, numbered(subject_id))

    def facts(self, subject: Escrow) -> Facts:
        """The escrow in words."""
        return escrow_facts(subject)

    def address(self, subject: Escrow) -> str:
        """The escrow's page."""
        return addresses.escrow(subject.pk)


class Release(OfEscrow):
    """Give what is left to the freelancer."""

    name = "release"
    power = Power.RELEASE
    title = gettext_lazy("Release the escrow")
    verb = gettext_lazy("Release")
    is_final = True

    def consequences(self, subject: Escrow) -> list[str]:
        """Who gets what."""
        split = subject.terms.split(subject.remaining)
        told = {"name": subject.freelancer.username, "share": money(split.freelancer), "fee": money(split.fee)}
        return [
            _("%(share)s goes to %(name)s, %(fee)s to the platform as its fee.") % told,
            _("The client has not necessarily confirmed the work: you decide in their place."),
            *second_person(subject, subject.remaining),
        ]

    def carry_out(self, subject: Escrow, order: Order) -> object:
        """Release it, or ask for approval."""
        return escrows.release(
            actor=order.actor, escrow_id=subject.pk, now=order.now, request_key=order.request_key, note=order.note
        )

    def done(self, subject: Escrow, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("Released. %(name)s was told.") % {"name": subject.freelancer.username})


class RefundClient(OfEscrow):
    """Send money in escrow back to the client."""

    name = "refund"
    power = Power.REFUND
    title = gettext_lazy("Refund the client")
    verb = gettext_lazy("Refund")
    is_final = True

    def form(self, subject: Escrow, *args: Any) -> forms.Form:
        """How much, what for, and why."""
        return RefundForm(*args, escrow=subject)

    def consequences(self, subject: Escrow) -> list[str]:
        """Where the money goes."""
        told = {"name": subject.client.username, "amount": money(subject.remaining)}
        return [
            _("At most %(amount)s leaves escrow and goes back to the card of %(name)s.") % told,
            _("What is not refunded stays in escrow."),
            *second_person(subject, subject.remaining),
        ]

    def carry_out(self, subject: Escrow, order: Order) -> object:
        """Refund it, or ask for approval."""
        return refunds.ask_or_refund(
            actor=order.actor,
            escrow_id=subject.pk,
            amount=order.data["amount"],
            reason=order.data["reason"],
            note=order.note,
            now=order.now,
            request_key=order.request_key,
        )

    def done(self, subject: Escrow, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The refund is on its way."))


class RetryTransfer(OfEscrow):
    """Try a refused transfer again."""

    name = "retry-transfer"
    power = Power.RELEASE
    title = gettext_lazy("Try the transfer again")
    verb = gettext_lazy("Try again")

    def consequences(self, subject: Escrow) -> list[str]:
        """What is sent."""
        told = {"name": subject.freelancer.username}
        share = transfers.refused_share(subject)
        sentence = _("The provider is asked once more to send the share of %(name)s to their account.") % told
        return [sentence, *(second_person(subject, share) if share is not None else [])]

    def carry_out(self, subject: Escrow, order: Order) -> object:
        """Begin a new transfer, or ask for approval."""
        begun = transfers.retry(actor=order.actor, escrow_id=subject.pk, now=order.now, note=order.note)
        if not begun:
            raise WrongState("No transfer of this escrow was refused.")
        return begun

    def done(self, subject: Escrow, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The transfer is tried again."))


class Settle(Deed):
    """Share what a dispute is about."""

    name = "settle"
    power = Power.SETTLE_DISPUTE
    title = gettext_lazy("Settle the dispute")
    verb = gettext_lazy("Settle")
    is_final = True

    def subject(self, actor: Actor, subject_id: int | None) -> Dispute:
        """The dispute, with its escrow."""
        dispute = access.dispute(actor, numbered(subject_id))
        dispute.escrow = access.escrow(actor, dispute.escrow_id)
        return dispute

    def form(self, subject: Dispute, *args: Any) -> forms.Form:
        """The two amounts and the reason."""
        return SettleForm(*args, escrow=subject.escrow)

    def facts(self, subject: Dispute) -> Facts:
        """The escrow and what is disputed."""
        return [*escrow_facts(subject.escrow), (_("What is the matter"), subject.reason)]

    def consequences(self, subject: Dispute) -> list[str]:
        """How it is shared."""
        remaining = subject.escrow.remaining
        return [
            _("The two amounts add up to %(amount)s.") % {"amount": money(remaining)},
            _("The platform's fee is taken from the freelancer's amount, none from the client's."),
            *second_person(subject.escrow, remaining),
        ]

    def carry_out(self, subject: Dispute, order: Order) -> object:
        """Settle it, or ask for approval."""
        return disputes.settle(
            actor=order.actor,
            dispute_id=subject.pk,
            client_amount=order.data["client_amount"],
            freelancer_amount=order.data["freelancer_amount"],
            note=order.note,
            now=order.now,
            request_key=order.request_key,
        )

    def done(self, subject: Dispute, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The dispute is settled. Both sides were told."))

    def address(self, subject: Dispute) -> str:
        """The escrow's page, at the dispute."""
        return addresses.escrow(subject.escrow_id, f"dispute-{subject.pk}")


class OfRefund(Deed):
    """A deed whose subject is a refund, or the request for one."""

    power = Power.REFUND

    def subject(self, actor: Actor, subject_id: int | None) -> Refund:
        """The refund, with its escrow."""
        refund = access.refund(actor, numbered(subject_id))
        refund.escrow = access.escrow(actor, refund.escrow_id)
        return refund

    def address(self, subject: Refund) -> str:
        """The escrow's page, at the refund."""
        return addresses.escrow(subject.escrow_id, f"refund-{subject.pk}")


class AnswerRefund(OfRefund):
    """Answer a client's request in the freelancer's place."""

    accept: ClassVar[bool]

    def facts(self, subject: Refund) -> Facts:
        """The request and why it was made."""
        told: Facts = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        why = subject.note or status_labels.reason_label(subject.reason)
        return [*told, (_("Their reason"), why), *escrow_facts(subject.escrow)]

    def carry_out(self, subject: Refund, order: Order) -> object:
        """Answer it, or ask for approval."""
        return refunds.answer(
            actor=order.actor,
            refund_id=subject.pk,
            accept=self.accept,
            note=order.note,
            now=order.now,
            request_key=order.request_key,
        )


class AcceptRefund(AnswerRefund):
    """Agree to it."""

    name = "accept-refund"
    title = gettext_lazy("Agree to the refund")
    verb = gettext_lazy("Agree")
    is_final = True
    accept = True

    def consequences(self, subject: Refund) -> list[str]:
        """Where the money goes."""
        told = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("%(amount)s leaves escrow and goes back to the card of %(name)s.") % told,
            _("The freelancer has not answered: you decide in their place."),
            *second_person(subject.escrow, subject.amount),
        ]

    def done(self, subject: Refund, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The refund is on its way."))


class RefuseRefund(AnswerRefund):
    """Refuse it."""

    name = "refuse-refund"
    title = gettext_lazy("Refuse the refund")
    verb = gettext_lazy("Refuse")
    accept = False

    def consequences(self, subject: Refund) -> list[str]:
        """What follows."""
        return [
            _("A dispute opens, which the finance staff settles; the money stays in escrow until then."),
            _("The freelancer has not answered: you decide in their place."),
        ]

    def done(self, subject: Refund, outcome: object) -> str:
        """Say so."""
        return _("Refused. A dispute is open.")


class RetryRefund(OfRefund):
    """Try a failed refund again."""

    name = "retry-refund"
    title = gettext_lazy("Try the refund again")
    verb = gettext_lazy("Try again")

    def facts(self, subject: Refund) -> Facts:
        """The refund and why it failed."""
        told: Facts = [(_("Refund"), money(subject.amount)), (_("State"), status_labels.label(subject.state))]
        return [*told, (_("Why it failed"), subject.failure_reason or "–"), *escrow_facts(subject.escrow)]

    def consequences(self, subject: Refund) -> list[str]:
        """What is sent."""
        told = {"name": subject.escrow.client.username, "amount": money(subject.amount)}
        return [
            _("A new refund of %(amount)s to %(name)s begins; the failed one stays as it is.") % told,
            _("It can be tried again once."),
            *second_person(subject.escrow, subject.amount),
        ]

    def carry_out(self, subject: Refund, order: Order) -> object:
        """Begin a new refund, or ask for approval."""
        return refunds.retry(actor=order.actor, refund_id=subject.pk, now=order.now, note=order.note)

    def done(self, subject: Refund, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The refund is tried again."))


class ReturnPayment(Deed):
    """Send a payment back that fits no escrow."""

    name = "return-payment"
    power = Power.REFUND
    title = gettext_lazy("Send the payment back")
    verb = gettext_lazy("Send back")
    is_final = True
    reasons: ClassVar[dict[str, Any]] = {
        "amount_mismatch": gettext_lazy("The amount received is not the amount asked for."),
        "second_payment": gettext_lazy("The task was paid already or called off."),
    }

    def subject(self, actor: Actor, subject_id: int | None) -> Payment:
        """The payment, with its escrow."""
        payment = Payment.objects.filter(pk=numbered(subject_id)).first()
        if payment is None:
            raise NotFound
        payment.escrow = access.escrow(actor, payment.escrow_id)
        return payment

    def form(self, subject: Payment, *args: Any) -> forms.Form:
        """The reason."""
        return SharedReasonForm(*args)

    def facts(self, subject: Payment) -> Facts:
        """The payment and why it waits."""
        why = self.reasons.get(subject.review_reason, subject.review_reason or "–")
        told: Facts = [(_("Payment"), str(subject)), (_("State"), status_labels.label(subject.state))]
        return [*told, (_("Why it is under review"), why), *escrow_facts(subject.escrow)]

    def consequences(self, subject: Payment) -> list[str]:
        """Where the money goes."""
        told = {"name": subject.escrow.client.username}
        sentence = _("The whole payment goes back to the card of %(name)s; the escrow is not touched.") % told
        if not subject.received_currency:
            return [sentence]
        received = Money(subject.received_minor, subject.received_currency)
        return [sentence, *second_person(subject.escrow, received)]

    def carry_out(self, subject: Payment, order: Order) -> object:
        """Refund the payment, or ask for approval."""
        return unapplied_payments.return_payment(
            actor=order.actor, payment_id=subject.pk, now=order.now, note=order.note
        )

    def done(self, subject: Payment, outcome: object) -> str:
        """Say so."""
        return waits_or(outcome, _("The payment is on its way back."))

    def address(self, subject: Payment) -> str:
        """The escrow's page, at the payment."""
        return addresses.escrow(subject.escrow_id, f"payment-{subject.pk}")
