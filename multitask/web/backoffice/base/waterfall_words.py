"""Who bears a loss, in words: the same before it is booked and afterwards, as sentences or as rows."""

from typing import Any

from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.losses.waterfall import Shares
from multitask.payments.models import Escrow, Loss
from multitask.web.pages.templatetags.money import money


def sentences(escrow: Escrow, shares: Shares, *, currency: str = "") -> list[str]:
    """Return one sentence for each part of a loss that is not zero, in the order in which the parts are used.

    Without a `currency` it is the escrow's.
    """
    name, gain = escrow.freelancer.username, max(0, -shares.platform)
    parts = (
        (shares.escrow, _("%(amount)s comes out of the escrow.")),
        (shares.fee, _("%(amount)s of its fee is given back by the platform.")),
        (shares.payee, _("%(amount)s is taken back from %(name)s: pending or available money of this escrow.")),
        (shares.receivable, _("%(amount)s is owed by %(name)s and taken from later releases.")),
        (max(0, shares.platform), _("%(amount)s is borne by the platform.")),
        (gain, _("%(amount)s of it is the platform's gain by the exchange rate.")),
    )
    values = ((sentence, money(Money(minor, currency or escrow.currency))) for minor, sentence in parts if minor)
    return [sentence % {"amount": amount, "name": name} for sentence, amount in values]


def version(shares: Shares) -> str:
    """Return a text that changes whenever somebody would bear another part."""
    parts = (shares.escrow, shares.payee, shares.fee, shares.receivable, shares.platform)
    return "-".join(str(part) for part in parts)


def of_preview(shares: Shares, currency: str) -> list[tuple[str, Any]]:
    """Return each part of a preview with who bears it, and the total."""
    return _rows(currency, shares.escrow, shares.payee, shares.fee, shares.receivable, shares.platform)


def of_loss(loss: Loss) -> list[tuple[str, Any]]:
    """Return each part of a booked loss with who bore it, and the total."""
    return _rows(
        loss.currency, loss.escrow_minor, loss.payee_minor, loss.fee_minor, loss.receivable_minor, loss.platform_minor
    )


def _rows(currency: str, escrow: int, payee: int, fee: int, receivable: int, platform: int) -> list[tuple[str, Any]]:
    parts = [
        (_("What is left in escrow"), escrow),
        (_("The freelancer's money of this escrow"), payee),
        (_("The platform's fee, which is returned"), fee),
        (_("The freelancer owes it from now on"), receivable),
        (_("The platform bears it") if platform > 0 else _("The platform's gain by the exchange rate"), platform),
    ]
    rows = [(label, money(Money(minor, currency))) for label, minor in parts if minor]
    return [*rows, (_("Total loss"), money(Money(sum(minor for _label, minor in parts), currency)))]
