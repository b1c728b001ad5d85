"""What a payout account can do now, and what its owner has to know about it."""

from enum import StrEnum
from typing import Final

from django.utils.translation import gettext_noop

from multitask.payments.models import ConnectedAccount
from multitask.payments.provider import Rejection


class AccountStatus(StrEnum):
    """The status of a payout account. `REJECTED` and `CLOSED` are final."""

    READY = "ready"  # receives and pays out
    DETAILS_DUE = "details_due"  # does so, and the provider asks for more details
    INCOMPLETE = "incomplete"  # the owner has to provide details
    CHECKED = "checked"  # the provider checks the details
    PAUSED = "paused"  # the provider has stopped it and asks for nothing
    REJECTED = "rejected"
    CLOSED = "closed"


_SENTENCES: Final = {
    AccountStatus.READY: gettext_noop("You can receive earnings and withdraw them to your bank."),
    AccountStatus.DETAILS_DUE: gettext_noop(
        "You can receive earnings and withdraw them. The payment provider asks for more details;"
        " payouts may stop if they do not come."
    ),
    AccountStatus.INCOMPLETE: gettext_noop("The payment provider still needs details from you."),
    AccountStatus.CHECKED: gettext_noop("You have sent everything. The payment provider is checking it."),
    AccountStatus.PAUSED: gettext_noop(
        "The payment provider has paused this account and is looking into it. There is nothing for you to do now."
    ),
    AccountStatus.CLOSED: gettext_noop(
        "This account was closed, or disconnected from this platform. That is final: it cannot be opened again."
    ),
}
_REJECTIONS: Final = {
    Rejection.FRAUD: gettext_noop("The payment provider has rejected this account because it suspects fraud."),
    Rejection.TERMS: gettext_noop("The payment provider has rejected this account because it breaks its terms."),
    Rejection.LISTED: gettext_noop(
        "The payment provider has rejected this account because its owner is on a list of those it may not pay."
    ),
    Rejection.UNVERIFIED: gettext_noop(
        "The payment provider has rejected this account because it could not verify your details."
    ),
    Rejection.PLATFORM: gettext_noop("This platform has rejected this account."),
    Rejection.OTHER: gettext_noop("The payment provider has rejected this account."),
}
CLOSED: Final = AccountStatus.CLOSED.value
FINAL: Final = gettext_noop("That is final: this account cannot be used again.")
SUCCESSOR: Final = gettext_noop("You can open a new payout account; what you earned waits for it.")
# What lies in a closed account cannot be brought anywhere.
SUCCESSOR_OF_CLOSED: Final = gettext_noop(
    "You can open a new payout account for what was not transferred yet. Money that lies in the closed account cannot"
    " be reached from this platform: our staff looks at it."
)


def of(account: ConnectedAccount) -> AccountStatus:
    """Return the status of an account."""
    if account.closed:
        return AccountStatus.CLOSED
    if account.rejection:
        return AccountStatus.REJECTED
    due = bool(account.requirements.get("currently_due"))
    if account.onboarding_completed:
        return AccountStatus.DETAILS_DUE if due else AccountStatus.READY
    if due or not account.details_submitted:
        return AccountStatus.INCOMPLETE
    return AccountStatus.CHECKED if account.requirements.get("pending_verification") else AccountStatus.PAUSED


def sentences(account: ConnectedAccount) -> list[str]:
    """Return what the owner has to know, as sentences to be translated."""
    status = of(account)
    if status is AccountStatus.REJECTED:
        return ending(account.rejection)
    return ending(CLOSED) if status is AccountStatus.CLOSED else [_SENTENCES[status]]


def ending(reason: str) -> list[str]:
    """Return why an account has ended and what follows, as sentences to be translated.

    `reason` is a `Rejection`, or `CLOSED`.
    """
    if reason == CLOSED:
        return [_SENTENCES[AccountStatus.CLOSED], SUCCESSOR_OF_CLOSED]
    return [_REJECTIONS[Rejection(reason)], FINAL, SUCCESSOR]
