"""Errors that the payment commands raise, each with a stable code.

They share a module because most commands raise several of them; `web/api/error_statuses.py` maps each to an HTTP
status.
"""

import math
from datetime import timedelta

from multitask.errors import DomainError


class PaymentError(DomainError):
    """The base class of all errors of `payments`."""


class NotFound(PaymentError):
    """The object does not exist, or the caller may not see it."""

    code = "not_found"
    message = "There is nothing here that you may see."


class Forbidden(PaymentError):
    """The caller may see the object but may not do this with it."""

    code = "forbidden"
    message = "You may not do this."


class FourEyes(PaymentError):
    """The user who asked for a decision tried to approve it too."""

    code = "four_eyes"
    message = "A second person has to approve this."


class WrongState(PaymentError):
    """The state of the object does not allow this."""

    code = "wrong_state"
    message = "This cannot be done in the present state."


class WorkStateConflict(PaymentError):
    """The state of the milestone does not allow this step."""

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
    """The escrow is disputed, so its money cannot move."""

    code = "dispute_open"
    message = "A dispute is open; the money stays where it is until it is settled."


class EscrowFrozen(PaymentError):
    """The escrow is frozen by a chargeback, so its money cannot move."""

    code = "escrow_frozen"
    message = "The cardholder's bank has contested this payment; the money stays where it is."


class EvidenceClosed(PaymentError):
    """The evidence about a chargeback was submitted, its deadline has passed or the chargeback is closed."""

    code = "evidence_closed"
    message = "The evidence can no longer be changed: it was submitted, or the chargeback is over."


class FileRefused(PaymentError):
    """The file is empty, too large, or neither a PDF nor a JPEG nor a PNG."""

    code = "file_refused"
    message = "The file has to be a PDF, a JPEG or a PNG of at most 5 MB."


class RefundInProgress(PaymentError):
    """A refund of this escrow is requested or pending."""

    code = "refund_in_progress"
    message = "A refund of this escrow has been asked for or is on its way."


class AmountTooLarge(PaymentError):
    """The amount exceeds what is left in escrow."""

    code = "amount_too_large"
    message = "The amount is more than is left in escrow."


class AmountTooSmall(PaymentError):
    """The amount is below the minimum of the currency's route."""

    code = "amount_too_small"
    message = "The amount is smaller than the payment provider accepts."


class RefundTooSmall(AmountTooSmall):
    """The refund cannot go back the way it was paid, and no payout destination takes so little."""

    code = "refund_too_small"
    message = "So small a refund cannot be paid out."


class CurrencyUnsupported(PaymentError):
    """No route is configured for this currency, so it cannot be collected, held and paid out."""

    code = "currency_unsupported"
    message = "Payments in this currency are not possible here."


class CountryUnsupported(PaymentError):
    """The provider holds no accounts in this country, or cannot pay to it."""

    code = "country_unsupported"
    message = "Payouts to this country are not possible here."


class AmountTooPrecise(PaymentError):
    """The amount has a finer minor unit than the provider can transfer or pay out in this currency."""

    code = "amount_too_precise"
    message = "The payment provider cannot move exactly this amount."


class AmountMismatch(PaymentError):
    """The two shares of a dispute settlement do not add up to the escrow's remaining amount."""

    code = "amount_mismatch"
    message = "The amounts do not add up to what is in escrow."


class CurrencyMismatch(PaymentError):
    """The amount has another currency than the escrow."""

    code = "currency_mismatch"
    message = "The currency is not the escrow's."


class InsufficientFunds(PaymentError):
    """The available balance does not cover the amount."""

    code = "insufficient_funds"
    message = "Your available balance does not cover this amount."


class NoBankInCurrency(PaymentError):
    """The payout account has no bank account in the currency."""

    code = "no_bank_in_currency"
    message = "Your payout account has no bank account in this currency."


class WithdrawalLeft(PaymentError):
    """The payout is on its way to the bank or was paid, so it cannot be cancelled."""

    code = "withdrawal_left"
    message = "The money has left for your bank already, so the withdrawal cannot be cancelled."


class OnboardingIncomplete(PaymentError):
    """The freelancer's connected account cannot receive transfers or payouts yet."""

    code = "onboarding_incomplete"
    message = "Finish setting up your payout account first."


class AccountExists(PaymentError):
    """The user already has a connected account."""

    code = "account_exists"
    message = "You have a payout account already."


class AccountEnded(PaymentError):
    """The connected account was closed or rejected for good; the user can open a new one."""

    code = "account_ended"
    message = "Your payout account has ended for good. Open a new one."


class AccountInUse(PaymentError):
    """The connected account was paid to, so its country and currency cannot be chosen anew."""

    code = "account_in_use"
    message = "Money was paid to your payout account already, so it cannot be replaced."


class FundsInFormerAccount(PaymentError):
    """A part of the available balance still lies in an account that another one has replaced."""

    code = "funds_in_former_account"
    message = "Some of your balance is still on its way from your former payout account. Withdraw less, or wait."


class NoAccount(PaymentError):
    """The user has no connected account yet."""

    code = "no_account"
    message = "Create your payout account first."


class ProviderRefused(PaymentError):
    """The provider refused the request permanently; `detail` is its error code."""

    code = "provider_refused"
    message = "The payment provider refused this."


class ProviderUnavailable(PaymentError):
    """The provider did not answer; a retry is safe."""

    code = "provider_unavailable"
    message = "The payment provider did not answer in time. Nothing is lost: please try again."

    def __init__(self, *, detail: str | None = None, wait: timedelta | None = None) -> None:
        """Store the provider's code, and `wait` in whole seconds as `retry_after`."""
        super().__init__(detail=detail)
        self.retry_after = 1 if wait is None else max(1, math.ceil(wait.total_seconds()))


class TooManyRequests(PaymentError):
    """The user created too many objects at the provider recently; `retry_after` is in seconds."""

    code = "too_many_requests"
    message = "You have asked for this too often. Wait a few minutes, then try again."

    def __init__(self, *, retry_after: int) -> None:
        """Store how long to wait."""
        super().__init__()
        self.retry_after = retry_after


class PayeeNotReady(PaymentError):
    """Something is missing before a payee of a platform route can be paid; the code says what."""

    code = "payee_not_ready"
    message = "Something is missing before you can be paid."


class IdentityMissing(PayeeNotReady):
    """The payee has not said who they are."""

    code = "identity_missing"
    message = "Give your legal name and national ID number first."


class IdentityUnconfirmed(PayeeNotReady):
    """Support has not confirmed the payee's identity yet."""

    code = "identity_unconfirmed"
    message = "Our support has not confirmed your identity yet."


class IdentityRejected(PayeeNotReady):
    """Support has rejected the payee's identity."""

    code = "identity_rejected"
    message = "Your identity was rejected; correct it first."


class DestinationMissing(PayeeNotReady):
    """The payee has no payout destination in this currency."""

    code = "destination_missing"
    message = "Add a payout destination first."


class PayoutUnexplained(PaymentError):
    """An earlier withdrawal of the payee was paid after its money was given back; finance has to explain it first."""

    code = "payout_unexplained"
    message = "We have to check an earlier withdrawal of yours first; our support will contact you."


class ReferenceUsed(PaymentError):
    """A settlement or top-up with this reference is recorded already."""

    code = "reference_used"
    message = "This reference is recorded already."


class KeyReused(PaymentError):
    """The idempotency key was used before with a different request."""

    code = "idempotency_key_reused"
    message = "This idempotency key was used for a different request."


class UnknownObject(PaymentError):
    """The provider reports an object that is not in the database, or not yet."""

    code = "unknown_object"
    message = "The provider's object is not known here."
