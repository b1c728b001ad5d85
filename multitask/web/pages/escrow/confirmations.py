"""What releasing the money will do, shown before it is done."""

from django.utils.translation import gettext as _

from multitask.payments.models import Escrow
from multitask.payments.terms import percentage
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
