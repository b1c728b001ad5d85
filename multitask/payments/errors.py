"""What the payment rules refuse, each with its stable code.

They stand together because most rules raise several of them; `web/api/errors.py` gives each its status.
"""

import math
from datetime import timedelta

from multitask.errors import DomainError


class PaymentError(DomainError):
    """The base of this room's refusals."""


class NotFound(PaymentError):
    """There is no such thing, or it is not the caller's to see."""

    code = "not_found"
    message = "There is nothing here that you may see."


class Forbidden(PaymentError):
    """A party to the escrow who may not do this."""

    code = "forbidden"
    message = "You may not do this."


class FourEyes(PaymentError):
    """Somebody tried to approve what they asked for themselves."""

    code = "four_eyes"
    message = "A second person has to approve this."


class WrongState(PaymentError):
    """The thing is not in a state in which this can be done."""

    code = "wrong_state"
    message = "This cannot be done in the present state."


class WorkStateConflict(PaymentError):
    """The work is in a state from which this step does not lead."""

    code = "work_state_conflict"
    message = "The work is not in a state that allows this step."


class TaskNotCompleted(PaymentError):
    """The client has not confirmed completion."""

    code = "task_not_completed"
    message = "The client has to confirm the task's completion first."


class NotFunded(PaymentError):
    """No money is in escrow."""

    code = "not_funded"
    message = "There is no money in escrow for this task yet."


class DisputeOpen(PaymentError):
    """A dispute holds the money where it is."""

    code = "dispute_open"
    message = "A dispute is open; the money stays where it is until it is settled."


class EscrowFrozen(PaymentError):
    """A chargeback holds the money where it is."""

    code = "escrow_frozen"
    message = "The cardholder's bank has contested this payment; the money stays where it is."


class RefundInProgress(PaymentError):
    """A refund was asked for or is on its way."""

    code = "refund_in_progress"
    message = "A refund of this escrow has been asked for or is on its way."


class AmountTooLarge(PaymentError):
    """More than there is."""

    code = "amount_too_large"
    message = "The amount is more than is left in escrow."


class AmountTooSmall(PaymentError):
    """Less than the route of the currency takes."""

    code = "amount_too_small"
    message = "The amount is smaller than the payment provider accepts."


class CurrencyUnsupported(PaymentError):
    """A currency without a route: it cannot be collected, held and paid out."""

    code = "currency_unsupported"
    message = "Payments in this currency are not possible here."


class AmountTooPrecise(PaymentError):
    """An amount that the provider cannot move to the last coin."""

    code = "amount_too_precise"
    message = "The payment provider cannot move exactly this amount."


class AmountMismatch(PaymentError):
    """The parts of a settlement do not add up."""

    code = "amount_mismatch"
    message = "The amounts do not add up to what is in escrow."


class CurrencyMismatch(PaymentError):
    """The currency is not the escrow's."""

    code = "currency_mismatch"
    message = "The currency is not the escrow's."


class InsufficientFunds(PaymentError):
    """The available balance does not cover it."""

    code = "insufficient_funds"
    message = "Your available balance does not cover this amount."


class NoBankInCurrency(PaymentError):
    """The payout account has no bank account in the currency."""

    code = "no_bank_in_currency"
    message = "Your payout account has no bank account in this currency."


class OnboardingIncomplete(PaymentError):
    """The freelancer's account cannot take money yet."""

    code = "onboarding_incomplete"
    message = "Finish setting up your payout account first."


class AccountExists(PaymentError):
    """There is an account already."""

    code = "account_exists"
    message = "You have a payout account already."


class NoAccount(PaymentError):
    """There is no account yet."""

    code = "no_account"
    message = "Create your payout account first."


class ProviderRefused(PaymentError):
    """The provider refused for good; `detail` is its own word."""

    code = "provider_refused"
    message = "The payment provider refused this."


class ProviderUnavailable(PaymentError):
    """The provider gave no answer; asking again is safe."""

    code = "provider_unavailable"
    message = "The payment provider did not answer in time. Nothing is lost: please try again."

    def __init__(self, *, detail: str | None = None, wait: timedelta | None = None) -> None:
        """Keep the provider's code, and in whole seconds how long to wait before asking again."""
        super().__init__(detail=detail)
        self.retry_after = 1 if wait is None else max(1, math.ceil(wait.total_seconds()))


class TooManyRequests(PaymentError):
    """One user made too many objects at the provider of late; `retry_after` is in seconds."""

    code = "too_many_requests"
    message = "You have asked for this too often. Wait a few minutes, then try again."

    def __init__(self, *, retry_after: int) -> None:
        """Keep how long to wait."""
        super().__init__()
        self.retry_after = retry_after


class KeyReused(PaymentError):
    """The same idempotency key came with another request."""

    code = "idempotency_key_reused"
    message = "This idempotency key was used for a different request."


class UnknownObject(PaymentError):
    """The provider tells of an object that we do not know, perhaps not yet."""

    code = "unknown_object"
    message = "The provider's object is not known here."
