"""What a payment provider must be able to do, in our own words.

Pure Python: no Django, no SDK. Amounts are `Money` (integer minor units), times are aware UTC datetimes.
Every call that changes something takes `key`, the idempotency key of the operation behind it, and stores
`reference` (the operation's subject, such as `escrow:<id>`) at the provider, so that `find_*` can answer
"did this ever happen?" when an answer was lost. `find_*` reads all that the provider lists for its other
arguments, so None means that there is no such object; `since` is a moment before which it cannot have been made.

Errors differ in one thing: whether the call may have had an effect.
`Rejected`: it had none and never will (final). `Unavailable`: it had none, ask again later. `Unknown`: it may have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from multitask.money import Money


class ProviderError(Exception):
    """Something went wrong at the provider. `code` is the provider's own word, `message` fit to show to a person."""

    def __init__(self, code: str, message: str, *, object_id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.object_id = object_id


class Rejected(ProviderError):
    """The provider refused for good: the same call will never succeed and nothing happened."""


class Unavailable(ProviderError):
    """The provider did nothing yet (rate limit, key still in flight, funds short): the same call may succeed later.

    `key_spent` says that the provider will repeat this refusal to the same key, so that a later try needs a new
    one; that is safe, because the refusal proves that the old key moved nothing.
    """

    def __init__(
        self, code: str, message: str, *, retry_after: timedelta | None = None, key_spent: bool = False
    ) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.key_spent = key_spent


class Unknown(ProviderError):
    """A timeout, a broken connection or a 5xx: the call may or may not have had its effect.

    `replayed` says that the provider answered from its memory of the key: the same key will never do more.
    """

    def __init__(self, code: str, message: str, *, replayed: bool = False) -> None:
        super().__init__(code, message)
        self.replayed = replayed


class InvalidSignature(ProviderError):
    """A webhook that does not prove who sent it, or that no provider could have sent."""


class PaymentStatus(StrEnum):
    AWAITING = "awaiting"  # nothing paid yet: a method or a confirmation is missing, or the last try was declined
    ACTION_REQUIRED = "action_required"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


class TransferStatus(StrEnum):
    SUCCEEDED = "succeeded"
    REVERSED = "reversed"


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PayoutStatus(StrEnum):
    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Subject(StrEnum):
    """The kinds of provider object whose change concerns us."""

    PAYMENT = "payment"
    ACCOUNT = "account"
    TRANSFER = "transfer"
    REFUND = "refund"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    PAYMENT_METHOD = "payment_method"
    SETUP = "setup"
    BALANCE = "balance"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A freelancer's account at the provider. `requirements_due` are the provider's field names still missing."""

    id: str
    country: str
    currency: str
    charges_enabled: bool
    payouts_enabled: bool
    transfers_enabled: bool
    details_submitted: bool
    requirements_due: Sequence[str] = ()
    requirements_pending: Sequence[str] = ()
    disabled_reason: str = ""
    closed: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardingLink:
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentState:
    """A payment. `received` and `charge_id` are known once it succeeded, `fee` and `available_at` perhaps later."""

    id: str
    status: PaymentStatus
    amount: Money
    client_secret: str = ""
    received: Money | None = None
    charge_id: str = ""
    fee: Money | None = None
    available_at: datetime | None = None
    refunded: Money | None = None
    reference: str = ""
    failure_code: str = ""
    failure_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferState:
    id: str
    status: TransferStatus
    amount: Money
    reversed: Money
    account_id: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundState:
    id: str
    status: RefundStatus
    amount: Money
    payment_id: str
    reference: str = ""
    failure_code: str = ""
    failure_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutState:
    id: str
    status: PayoutStatus
    amount: Money
    account_id: str
    reference: str = ""
    arrival_at: datetime | None = None
    failure_code: str = ""
    failure_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeState:
    """A chargeback: the cardholder's bank took `amount` back from us while it decides."""

    id: str
    status: str
    reason: str
    amount: Money
    payment_id: str
    charge_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodState:
    """A saved card, as far as we may know it: never its number."""

    id: str
    customer_id: str
    kind: str
    brand: str = ""
    last4: str = ""
    expires_month: int | None = None
    expires_year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """A card being saved without a payment; the browser finishes it with `client_secret`."""

    id: str
    status: str
    client_secret: str
    customer_id: str
    method_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """What the provider holds for a connected account, in one currency."""

    available: Money
    pending: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """A verified webhook: `object_id` of kind `subject` changed; `account_id` when it is a connected one's.

    `quarantine_reason` is set when the sender is proven but the content contradicts it: keep it, do not act on it.
    """

    id: str
    kind: str
    subject: Subject
    object_id: str
    account_id: str = ""
    created_at: datetime
    live: bool
    related: Mapping[str, str] = field(default_factory=dict)
    quarantine_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRules:
    """What amounts of one currency a provider moves, in minor units.

    Charges, transfers and refunds are multiples of `step`, payouts to a bank of `payout_step`.
    """

    is_supported: bool = True
    least_charge: int = 1
    most_charge: int | None = None
    step: int = 1
    payout_step: int = 1


class Provider(Protocol):
    """A payment provider. Every method but the first three and `verify_webhook` is a network call.

    Raises `Rejected`, `Unavailable` or `Unknown`; `verify_webhook` raises `InvalidSignature`.
    """

    name: str
    key_lifetime: timedelta  # for how long the provider remembers an idempotency key

    @property
    def publishable_key(self) -> str: ...
    def amount_rules(self, currency: str) -> AmountRules: ...
    def require_answering(self) -> None:
        """Raise `Unavailable` while the provider does not answer and calls would be refused at once."""
        ...

    # -- accounts of freelancers
    def create_account(self, *, reference: str, email: str, country: str, currency: str, key: str) -> AccountState: ...
    def read_account(self, account_id: str) -> AccountState: ...
    def find_account(self, *, reference: str, since: datetime) -> AccountState | None: ...
    def create_onboarding_link(self, *, account_id: str, refresh_url: str, return_url: str) -> OnboardingLink: ...
    def read_account_balance(self, account_id: str, currency: str) -> AccountBalance: ...

    # -- paying in
    def create_customer(self, *, reference: str, email: str, name: str, key: str) -> str: ...
    def find_customer(self, *, reference: str, email: str) -> str | None: ...
    def create_payment(
        self, *, reference: str, amount: Money, customer_id: str, description: str, key: str
    ) -> PaymentState: ...
    def read_payment(self, payment_id: str) -> PaymentState: ...
    def find_payment(self, *, reference: str, customer_id: str) -> PaymentState | None: ...
    def cancel_payment(self, *, payment_id: str, key: str) -> PaymentState: ...

    # -- saved cards
    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState: ...
    def read_setup(self, setup_id: str) -> SetupState: ...
    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState: ...
    def read_method(self, method_id: str) -> MethodState: ...
    def detach_method(self, *, method_id: str, key: str) -> MethodState: ...
    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None: ...

    # -- to the freelancer's account, and back
    def create_transfer(
        self, *, reference: str, amount: Money, account_id: str, charge_id: str, key: str
    ) -> TransferState: ...
    def read_transfer(self, transfer_id: str) -> TransferState: ...
    def find_transfer(self, *, reference: str, account_id: str, since: datetime) -> TransferState | None: ...
    def reverse_transfer(self, *, reference: str, transfer_id: str, amount: Money, key: str) -> TransferState: ...
    def find_reversal(self, *, reference: str, transfer_id: str) -> TransferState | None:
        """The transfer, if a reversal with this reference was made of it."""
        ...

    # -- back to the client
    def create_refund(self, *, reference: str, payment_id: str, amount: Money, key: str) -> RefundState: ...
    def read_refund(self, refund_id: str) -> RefundState: ...
    def find_refund(self, *, reference: str, payment_id: str) -> RefundState | None: ...

    # -- to the bank
    def create_payout(self, *, reference: str, account_id: str, amount: Money, key: str) -> PayoutState: ...
    def read_payout(self, *, account_id: str, payout_id: str) -> PayoutState: ...
    def find_payout(self, *, reference: str, account_id: str, since: datetime) -> PayoutState | None: ...

    # -- chargebacks
    def read_dispute(self, dispute_id: str) -> DisputeState: ...
    def list_disputes(self, *, since: datetime) -> Sequence[DisputeState]:
        """All chargebacks that were opened since then, newest first; also of payments that are not ours."""
        ...

    # -- webhooks
    def verify_webhook(self, *, body: bytes, signature: str, endpoint: str, now: datetime) -> InboundEvent:
        """Check the raw body; `endpoint` is "platform", "connect" or "" for either secret."""
        ...
