"""What releasing or refunding the money will do, shown before it is done."""

from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.escrow import refund_ways
from multitask.payments.escrow.refund_ways import RefundWay
from multitask.payments.losses import refund_losses
from multitask.payments.models import Escrow, Refund
from multitask.payments.terms import percentage
from multitask.users.actor import Actor
from multitask.web.pages.base.confirmation import Confirmation, Line
from multitask.web.pages.templatetags.money import money


def release(escrow: Escrow) -> Confirmation:
    """Return what releasing everything that is left will do."""
    button = _("Release %(amount)s") % {"amount": money(escrow.remaining)}
    return _confirmation(escrow, title=_("Release the money"), button=button, consequences=())


def complete_and_release(escrow: Escrow) -> Confirmation:
    """Return what confirming the work and releasing everything that is left will do."""
    confirmed = _("You confirm that %(name)s has delivered what was agreed.") % {"name": escrow.freelancer.username}
    button = _("Confirm and release %(amount)s") % {"amount": money(escrow.remaining)}
    return _confirmation(
        escrow, title=_("Confirm the work and release the money"), button=button, consequences=(confirmed,)
    )


def _confirmation(escrow: Escrow, *, title: str, button: str, consequences: tuple[str, ...]) -> Confirmation:
    split, name = escrow.terms.split(escrow.remaining), escrow.freelancer.username
    paid = _("%(name)s is told at once, and can withdraw the money when it has settled.") % {"name": name}
    return Confirmation(
        title=title,
        about=escrow.agreement.title,
        lines=(
            Line(_("Leaves escrow"), split.total),
            Line(_("To %(name)s") % {"name": name}, split.freelancer),
            Line(_("Platform fee (%(percentage)s%%)") % {"percentage": percentage(escrow.fee_basis_points)}, split.fee),
        ),
        consequences=(*consequences, paid),
        warning=_("This cannot be undone: the money leaves escrow for good, and you cannot ask for a refund any more."),
        button=button,
        version=str(split.total),
    )


def refund(actor: Actor, escrow: Escrow, amount: Money, *, fields: tuple[tuple[str, str], ...]) -> Confirmation:
    """Return what a refund without an answer will do: the client takes money back, or the freelancer returns it."""
    names = {"amount": money(amount)}
    if actor.is_user(escrow.client_id):
        title, button = _("Take the money back"), _("Take %(amount)s back") % names
    else:
        title, button = _("Refund the client"), _("Refund %(amount)s") % names
    return _refund(escrow, amount, title=title, button=button, version=f"{amount} {escrow.remaining}", fields=fields)


def give_back(escrow: Escrow, amount: Money, *, fields: tuple[tuple[str, str], ...]) -> Confirmation:
    """Return what giving released money back will do, and what it takes from where."""
    shares = refund_losses.preview(escrow, amount)
    taken = (
        (shares.payee, _("From your pending or available money of this task")),
        (shares.receivable, _("You owe it afterwards")),
        (shares.fee, _("From the platform, which returns its fee in proportion")),
        (shares.platform, _("From the platform")),
    )
    names = {"client": escrow.client.username, "amount": money(amount)}
    consequences = [_where_to(escrow)]
    if shares.receivable:
        consequences.append(_("What you owe is taken from your later releases, before you get anything of them."))
    parts = (shares.payee, shares.receivable, shares.fee, shares.platform)
    return Confirmation(
        title=_("Give money back"),
        about=escrow.agreement.title,
        lines=(
            Line(_("Back to %(name)s") % {"name": escrow.client.username}, amount),
            *(Line(label, Money(minor, escrow.currency)) for minor, label in taken if minor),
        ),
        consequences=tuple(consequences),
        warning=_("This cannot be undone: a refund that has begun cannot be taken back."),
        button=_("Give %(amount)s back") % names,
        version=f"{amount} {'-'.join(str(part) for part in parts)}",
        is_destructive=True,
        fields=fields,
    )


def accept_refund(escrow: Escrow, asked: Refund, *, fields: tuple[tuple[str, str], ...]) -> Confirmation:
    """Return what agreeing to a refund request will do."""
    button = _("Agree and refund %(amount)s") % {"amount": money(asked.amount)}
    version = f"{asked.pk} {asked.amount} {escrow.remaining}"
    return _refund(escrow, asked.amount, title=_("Agree to the refund"), button=button, version=version, fields=fields)


def _refund(
    escrow: Escrow, amount: Money, *, title: str, button: str, version: str, fields: tuple[tuple[str, str], ...]
) -> Confirmation:
    left, client, freelancer = escrow.remaining - amount, escrow.client.username, escrow.freelancer.username
    names = {"client": client, "freelancer": freelancer, "amount": money(left)}
    stays = (
        _("%(amount)s stays in escrow for the work of %(freelancer)s.") % names
        if left.amount_minor
        else _("Nothing is left in escrow, so %(freelancer)s gets nothing for this task.") % names
    )
    return Confirmation(
        title=title,
        about=escrow.agreement.title,
        lines=(
            Line(_("Back to %(name)s") % {"name": client}, amount),
            Line(_("Left in escrow"), left),
        ),
        consequences=(
            _where_to(escrow),
            stays,
        ),
        warning=_("This cannot be undone: a refund that has begun cannot be taken back."),
        button=button,
        version=version,
        is_destructive=True,
        fields=fields,
    )


def _where_to(escrow: Escrow) -> str:
    """Return where a refund of an escrow arrives, and when."""
    names = {"client": escrow.client.username}
    way = refund_ways.of(escrow)
    if way is RefundWay.CARD:
        return _("The money goes back to the card that %(client)s paid with, in 5 to 10 days.") % names
    if way is RefundWay.ORIGIN:
        return _("The money goes back the way %(client)s paid, within 10 days at most.") % names
    return (
        _("The money is paid out to the payout details of %(client)s: it cannot go back the way it was paid.") % names
    )
