"""The accounts and postings of money that comes back: chargebacks, losses, reversals, receivables.

Like `postings`: every function is called at the end of the command's transaction and is idempotent by its key.
"""

from datetime import datetime

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import (
    Adjustment,
    AdjustmentReversal,
    Chargeback,
    Escrow,
    Loss,
    Receivable,
    Refund,
    Reversal,
)
from multitask.payments.states import PaymentState
from multitask.payments.terms import Split


def chargeback_account(chargeback_id: int) -> AccountRef:
    """What a bank has taken with one chargeback and may give back (an asset, so negative)."""
    return AccountRef(f"chargeback:{chargeback_id}", floor_minor=None)


def contested_account(escrow_id: int) -> AccountRef:
    """The payee's share of one escrow while a chargeback or an undecided reversal holds it."""
    return AccountRef(f"contested:{escrow_id}")


def losses_account() -> AccountRef:
    """Losses that the platform bears, and receivables written off."""
    return AccountRef("platform:losses", floor_minor=None, shards=postings.HOT_SHARDS)


def dispute_fees_account() -> AccountRef:
    """What the provider charges the platform for chargebacks."""
    return AccountRef("platform:dispute_fees", floor_minor=None, shards=postings.HOT_SHARDS)


def share_account(escrow: Escrow) -> AccountRef:
    """Where the payee's share of a released escrow is: pending, or available once its funds have settled."""
    account = postings.pending_account if escrow.made_available_at is None else postings.available_account
    return account(escrow.freelancer_id)


def _post(kind: str, key: str, legs: list[Leg], now: datetime, description: str) -> ledger.Posting:
    return ledger.post(
        kind=kind,
        scope=postings.SCOPE,
        key=key,
        legs=[leg for leg in legs if leg.amount.amount_minor],
        effective_at=now,
        description=description,
    )


def move_chargeback(chargeback: Chargeback, line_id: str, amount: Money, fee: Money, now: datetime) -> ledger.Posting:
    """Post what the bank took (a negative amount) or gave back, with the provider's fee (negative if returned)."""
    return _post(
        "chargeback_withdrawn" if amount.amount_minor < 0 else "chargeback_reinstated",
        f"chargeback:{chargeback.pk}:{line_id}",
        [
            Leg(postings.provider_account(chargeback.provider), fee - amount),
            Leg(chargeback_account(chargeback.pk), amount),
            Leg(dispute_fees_account(), -fee),
        ],
        now,
        f"Chargeback {chargeback}",
    )


def contest(escrow: Escrow, amount: Money, key: str, now: datetime, *, ahead: Money | None = None) -> ledger.Posting:
    """Hold a part of the payee's share, of which `ahead` is not there any more."""
    missing = ahead or Money.zero(amount.currency)
    return _post(
        "share_contested",
        key,
        [
            Leg(share_account(escrow), missing - amount),
            Leg(postings.paid_ahead_account(escrow.freelancer_id), -missing),
            Leg(contested_account(escrow.pk), amount),
        ],
        now,
        f"Share of escrow {escrow} held",
    )


def free(escrow: Escrow, amount: Money, ahead: Money, key: str, now: datetime) -> ledger.Posting:
    """Return a part of the payee's share that was held, less what was paid out ahead."""
    return _post(
        "share_freed",
        key,
        [
            Leg(contested_account(escrow.pk), -amount),
            Leg(postings.paid_ahead_account(escrow.freelancer_id), ahead),
            Leg(share_account(escrow), amount - ahead),
        ],
        now,
        f"Share of escrow {escrow} no longer held",
    )


def book_loss(loss: Loss, escrow: Escrow, contested: Money, now: datetime) -> ledger.Posting:
    """Post a loss; `contested` is the part of the payee's share that was held before."""
    return _post(
        "loss_booked",
        f"loss:{loss.pk}:booked",
        [
            Leg(_first_source(loss, escrow), _part(loss, -loss.escrow_minor)),
            Leg(contested_account(escrow.pk), -contested),
            Leg(share_account(escrow), contested - _part(loss, loss.payee_minor)),
            Leg(postings.fees_account(), _part(loss, -loss.fee_minor)),
            Leg(postings.receivable_account(loss.payee_id), _part(loss, -loss.receivable_minor)),
            Leg(losses_account(), _part(loss, -loss.platform_minor)),
            Leg(_cause(loss), loss.amount),
        ],
        now,
        f"Loss of {loss}",
    )


def cover_loss(loss: Loss, escrow: Escrow, failed: Refund, amount: Money, now: datetime) -> ledger.Posting:
    """Post that the payment's own money bears a part of a loss, since a refund failed that had seemed to be paid.

    It is in escrow, or unapplied if the payment fits no escrow.
    """
    return _post(
        "loss_covered",
        f"loss:{loss.pk}:covered:{failed.pk}",
        [Leg(_first_source(loss, escrow), -amount), Leg(losses_account(), amount)],
        now,
        f"Loss of {loss} borne by payment {failed.payment_id}",
    )


def undo_loss(
    loss: Loss, escrow: Escrow, owed: Money, recovered: Money, rest: Split | None, now: datetime
) -> ledger.Posting:
    """Post that a loss did not last.

    The payee's part is held until it has been transferred again. `owed` of the receivable is cancelled, and what was
    `recovered` of it is pending for the payee. `rest` divides what the escrow bore, if that was released meanwhile.
    """
    fee, share = (rest.fee, rest.freelancer) if rest is not None else (_part(loss, 0), _part(loss, 0))
    written_off = loss.receivable_minor - owed.amount_minor - recovered.amount_minor
    return _post(
        "loss_reversed",
        f"loss:{loss.pk}:reversed",
        [
            Leg(_cause(loss), -loss.amount),
            Leg(_first_source(loss, escrow), _part(loss, loss.escrow_minor) - fee - share),
            Leg(contested_account(escrow.pk), _part(loss, loss.payee_minor) + share),
            Leg(postings.fees_account(), _part(loss, loss.fee_minor) + fee),
            Leg(postings.receivable_account(loss.payee_id), owed),
            Leg(postings.pending_account(loss.payee_id), recovered),
            Leg(losses_account(), _part(loss, loss.platform_minor + written_off)),
        ],
        now,
        f"Loss of {loss} reversed",
    )


def _first_source(loss: Loss, escrow: Escrow) -> AccountRef:
    """Return where the payment's money is or was: its escrow, or its own account if it fits none."""
    cause = loss.chargeback or loss.refund
    if cause is None or cause.payment.state == PaymentState.SUCCEEDED.value:
        return postings.escrow_account(escrow.pk)
    return postings.unapplied_account(cause.payment_id)


def _part(loss: Loss, minor: int) -> Money:
    return Money(minor, loss.currency)


def _cause(loss: Loss) -> AccountRef:
    if loss.refund_id is not None:
        return postings.refund_account(loss.refund_id)
    assert loss.chargeback_id is not None  # noqa: S101
    return chargeback_account(loss.chargeback_id)


def write_off(receivable: Receivable, amount: Money, now: datetime) -> ledger.Posting:
    """Post that a receivable is given up."""
    return _post(
        "receivable_written_off",
        f"receivable:{receivable.pk}:written_off",
        [Leg(postings.receivable_account(receivable.user_id), amount), Leg(losses_account(), -amount)],
        now,
        f"Receivable {receivable.pk} written off",
    )


def reverse_transfer(reversal: Reversal, now: datetime) -> ledger.Posting:
    """Post a reversed transfer: from the payee's account at the provider back to the platform's balance."""
    return _post(
        "transfer_reversed",
        f"reversal:{reversal.pk}:reversed",
        [
            Leg(postings.connected_account(reversal.provider, reversal.account_id), reversal.amount),
            Leg(postings.provider_account(reversal.provider), -reversal.amount),
        ],
        now,
        f"Reversal {reversal} of the transfer of escrow {reversal.escrow_id}",
    )


def give_up_reversal(reversal: Reversal, *, is_owed: bool, now: datetime) -> ledger.Posting:
    """Post that money stays in the payee's account at the provider, or was paid out of it ahead.

    They owe it as a receivable, or the platform bears it.
    """
    ahead = Money(reversal.ahead_minor, reversal.currency)
    bearer = postings.receivable_account(reversal.escrow.freelancer_id) if is_owed else losses_account()
    return _post(
        "reversal_given_up",
        f"reversal:{reversal.pk}:given_up",
        [
            Leg(postings.connected_account(reversal.provider, reversal.account_id), reversal.amount - ahead),
            Leg(postings.paid_ahead_account(reversal.escrow.freelancer_id), ahead),
            Leg(bearer, -reversal.amount),
        ],
        now,
        f"Reversal {reversal.pk} of the transfer of escrow {reversal.escrow_id} given up",
    )


def take_reversal_up(reversal: Reversal, owed: Money, recovered: Money, now: datetime) -> ledger.Posting:
    """Post that a given-up reversal has no reason any more: the account holds the payee's own money again.

    What had been paid out of it ahead has been so again. `owed` is not owed any more, `recovered` is pending for the
    payee, and the platform bore the rest.
    """
    ahead = Money(reversal.ahead_minor, reversal.currency)
    return _post(
        "reversal_taken_up",
        f"reversal:{reversal.pk}:taken_up",
        [
            Leg(postings.connected_account(reversal.provider, reversal.account_id), ahead - reversal.amount),
            Leg(postings.paid_ahead_account(reversal.escrow.freelancer_id), -ahead),
            Leg(postings.receivable_account(reversal.escrow.freelancer_id), owed),
            Leg(postings.pending_account(reversal.escrow.freelancer_id), recovered),
            Leg(losses_account(), reversal.amount - owed - recovered),
        ],
        now,
        f"Reversal {reversal.pk} of the transfer of escrow {reversal.escrow_id} has no reason any more",
    )


def adjustments_account() -> AccountRef:
    """Adjustments by finance: what they gave to people, less what they took."""
    return AccountRef("platform:adjustments", floor_minor=None)


def adjust(adjustment: Adjustment, now: datetime) -> ledger.Posting:
    """Post an adjustment: a positive one pays what is owed and is then pending, a negative one is owed."""
    amount, netted = adjustment.amount, Money(adjustment.netted_minor, adjustment.currency)
    is_credit = amount.amount_minor > 0
    pending = amount - netted if is_credit else Money.zero(amount.currency)
    return _post(
        "adjustment",
        f"adjustment:{adjustment.pk}:booked",
        [
            Leg(adjustments_account(), -amount),
            Leg(postings.receivable_account(adjustment.user_id), amount - pending),
            Leg(postings.pending_account(adjustment.user_id), pending),
        ],
        now,
        f"Adjustment {adjustment.pk}",
    )


def net_adjustment(adjustment: Adjustment, netted: Money, now: datetime) -> ledger.Posting:
    """Post that what was recovered for a loss that did not last, and is pending, pays what the payee owes otherwise."""
    return _post(
        "adjustment_netted",
        f"adjustment:{adjustment.pk}:netted",
        [
            Leg(postings.pending_account(adjustment.user_id), -netted),
            Leg(postings.receivable_account(adjustment.user_id), netted),
        ],
        now,
        f"Adjustment {adjustment.pk} paid what was owed",
    )


def transfer_adjustment(adjustment: Adjustment, account_id: int, amount: Money, now: datetime) -> ledger.Posting:
    """Post the transfer of an adjustment from the platform's balance to the payee's account at the provider."""
    return _post(
        "adjustment_transferred",
        f"adjustment:{adjustment.pk}:transferred",
        [
            Leg(postings.connected_account(adjustment.provider, account_id), -amount),
            Leg(postings.provider_account(adjustment.provider), amount),
        ],
        now,
        f"Transfer of adjustment {adjustment.pk}",
    )


def make_adjustment_available(adjustment: Adjustment, amount: Money, ahead: Money, now: datetime) -> ledger.Posting:
    """Post that an adjustment has arrived: pending becomes available, less what was paid out ahead."""
    return _post(
        "adjustment_available",
        f"adjustment:{adjustment.pk}:available",
        [
            Leg(postings.pending_account(adjustment.user_id), -amount),
            Leg(postings.paid_ahead_account(adjustment.user_id), ahead),
            Leg(postings.available_account(adjustment.user_id), amount - ahead),
        ],
        now,
        f"Adjustment {adjustment.pk} available",
    )


def reverse_adjustment(adjustment: Adjustment, reversal: AdjustmentReversal, now: datetime) -> ledger.Posting:
    """Post that the transfer of an adjustment was reversed at the provider, so that it is not given any more.

    It comes out of what is pending or available; the part that is not there any more counts as paid out ahead.
    """
    ahead = Money(reversal.ahead_minor, reversal.currency)
    wallet = postings.pending_account if adjustment.made_available_at is None else postings.available_account
    return _post(
        "adjustment_reversed",
        f"adjustment:{adjustment.pk}:reversed:{reversal.pk}",
        [
            Leg(wallet(adjustment.user_id), ahead - reversal.amount),
            Leg(postings.paid_ahead_account(adjustment.user_id), -ahead),
            Leg(adjustments_account(), reversal.amount),
            Leg(postings.connected_account(reversal.provider, reversal.account_id), reversal.amount),
            Leg(postings.provider_account(reversal.provider), -reversal.amount),
        ],
        now,
        f"Reversal {reversal} of the transfer of adjustment {adjustment.pk}",
    )
