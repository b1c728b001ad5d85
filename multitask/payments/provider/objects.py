"""Provider-independent objects: the states of payments, refunds and so on, and what a webhook is about.

Pure Python: no Django, no SDK. Amounts are `Money` (integer minor units), times are aware UTC datetimes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from multitask.money import Money
from multitask.payments.provider.saved_cards import SavedCard


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


class ChargebackStatus(StrEnum):
    """The status of a chargeback; a `warning` is an inquiry, which has not moved any money."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    PREVENTED = "prevented"
    WON = "won"
    LOST = "lost"


class Rejection(StrEnum):
    """Why a provider has rejected an account for good."""

    FRAUD = "fraud"
    TERMS = "terms"
    LISTED = "listed"  # on a list of people or companies who may not be paid
    UNVERIFIED = "unverified"  # the owner's details could not be verified
    PLATFORM = "platform"  # this platform has rejected it
    OTHER = "other"


class Subject(StrEnum):
    """The kinds of provider object whose change concerns us."""

    PAYMENT = "payment"
    ACCOUNT = "account"
    TRANSFER = "transfer"
    REFUND = "refund"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    FRAUD_WARNING = "fraud_warning"
    PAYMENT_METHOD = "payment_method"
    SETUP = "setup"
    CUSTOMER = "customer"
    BALANCE = "balance"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A freelancer's account at the provider. `requirements_due` are the provider's names of what is still missing.

    `bank_currencies` are the currencies for which the account has a bank account to pay out to. An account that is
    `closed` is no longer connected to the platform; it and a rejected one have ended for good.
    """

    id: str
    country: str
    currency: str
    charges_enabled: bool
    payouts_enabled: bool
    transfers_enabled: bool
    details_submitted: bool
    bank_currencies: Sequence[str] = ()
    requirements_due: Sequence[str] = ()
    requirements_pending: Sequence[str] = ()
    disabled_reason: str = ""
    rejection: Rejection | None = None
    closed: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardingLink:
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Embedded:
    """The payer continues on our own page: `page_script` (ours) uses `library` (the provider's script).

    The script identifies itself with the public `key` and the payment with `client_secret`.
    """

    client_secret: str
    key: str
    library: str = ""
    page_script: str = ""

    @property
    def token(self) -> str:
        """Return what is stored with the payment, to continue it later."""
        return self.client_secret


@dataclass(frozen=True, slots=True)
class Redirect:
    """The payer continues on the provider's page at this address."""

    url: str

    @property
    def token(self) -> str:
        """Return what is stored with the payment, to continue it later."""
        return self.url


Continuation: TypeAlias = Embedded | Redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays, as a provider's checkout page wants to know it; never stored with an operation.

    `card_tokens` are those of the saved cards that the page is to offer, the preferred one first.
    """

    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    card_tokens: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What the address says with which a payer comes back from the provider's page; anybody can write it.

    `payment_id` is empty if it names no payment; `has_failed` is whether it says that the payment did not go through.
    """

    payment_id: str
    has_failed: bool


UNNAMED_PAYER: Final = Payer()
# The query of a webhook whose address has none.
NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentState:
    """A payment.

    `continuation` is how the payer continues, None when there is nothing left to do. `collection_id` is the
    provider's id of the money taken, on which transfers and chargebacks are based; it and `received` are known once
    the payment succeeded; `fee`, `available_at` and `settled` perhaps later. `settled` is the gross amount that reached
    the platform's balance, which may be in another currency. `is_refundable` is false if the provider cannot send the
    money back the way it came, as with cash. `intention_id` is what the provider calls that which was created, known to
    the answer alone; empty if that is the payment itself. `refused_card` is the token of a saved card that the provider
    does not know any more.
    """

    id: str
    status: PaymentStatus
    amount: Money
    continuation: Continuation | None = None
    received: Money | None = None
    settled: Money | None = None
    collection_id: str = ""
    fee: Money | None = None
    available_at: datetime | None = None
    refunded: Money | None = None
    reference: str = ""
    intention_id: str = ""
    failure_code: str = ""
    failure_message: str = ""
    is_refundable: bool = True
    refused_card: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalState:
    """A part of a transfer that went back to the platform's balance."""

    id: str
    amount: Money
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferState:
    """A transfer with all its reversals, which add up to `reversed`."""

    id: str
    status: TransferStatus
    amount: Money
    reversed: Money
    account_id: str
    reference: str = ""
    reversals: Sequence[ReversalState] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundState:
    """A refund; `settled` is what it took from the balance, `returned` what came back when it failed, once known."""

    id: str
    status: RefundStatus
    amount: Money
    payment_id: str
    settled: Money | None = None
    returned: Money | None = None
    reference: str = ""
    failure_code: str = ""
    failure_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutState:
    """A payout; `account_id` is the payee's account that it left, empty for one from the platform's budget.

    `fee` and `tax` are what one from the budget cost besides, once known; None if it failed without being charged. A
    payout that was `paid` and came back is `failed`; `fee_returned` is whether fee and tax came back with it.
    """

    id: str
    status: PayoutStatus
    amount: Money
    account_id: str
    reference: str = ""
    arrival_at: datetime | None = None
    failure_code: str = ""
    failure_message: str = ""
    fee: Money | None = None
    tax: Money | None = None
    fee_returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargebackMovement:
    """One movement of the platform's balance because of a chargeback; `id` is that of the provider's statement.

    `amount` is negative when the bank takes money. `fee` is what the provider charges, negative if it returns one.
    """

    id: str
    amount: Money
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargebackState:
    """A chargeback: the cardholder's bank contests `amount` of a payment.

    `evidence_due_at` is until when evidence can be submitted; `is_submitted` whether some was.
    """

    id: str
    status: ChargebackStatus
    reason: str
    amount: Money
    payment_id: str
    collection_id: str
    movements: Sequence[ChargebackMovement] = ()
    evidence_due_at: datetime | None = None
    is_submitted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodState:
    """A saved card without its number."""

    id: str
    customer_id: str
    kind: str
    brand: str = ""
    last4: str = ""
    expires_month: int | None = None
    expires_year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerState:
    """A customer; one that was deleted has no cards any more and cannot be used."""

    id: str
    is_deleted: bool
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """A card being saved without a payment; the payer finishes it as `continuation` says."""

    id: str
    status: str
    continuation: Continuation
    customer_id: str
    method_id: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payout or refund failed: a sentence for its owner, and whether the bank details have to change first."""

    sentence: str
    needs_new_details: bool


class Requirement(StrEnum):
    """What a provider may still ask the owner of an account for."""

    BANK_ACCOUNT = "bank_account"
    TERMS = "terms"
    ACTIVITY = "activity"
    BUSINESS_TYPE = "business_type"
    NAME = "name"
    BIRTH_DATE = "birth_date"
    ADDRESS = "address"
    EMAIL = "email"
    PHONE = "phone"
    IDENTITY_NUMBER = "identity_number"
    SOCIAL_SECURITY = "social_security"
    IDENTITY_DOCUMENT = "identity_document"
    ADDRESS_DOCUMENT = "address_document"
    IDENTITY_CHECK = "identity_check"
    PERSON = "person"
    COMPANY = "company"
    COMPANY_PERSON = "company_person"
    PAYOUT_SETTINGS = "payout_settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """A verified webhook: `object_id` of kind `subject` changed; `account_id` when it is a connected one's.

    `quarantine_reason` is set when the sender is proven but the content contradicts it: keep it, do not act on it.
    `saved_card` is what the event itself brings, since it cannot be read from the provider.
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
    saved_card: SavedCard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRules:
    """What amounts of one currency a provider moves, in minor units.

    Charges, transfers and refunds are multiples of `step`, payouts to a bank of `payout_step`. A provider that
    settles a charge in another currency has that currency's minimum, converted. `secondary` names the fields whose
    values are not the provider's own word: docs/providers.md marks them.
    """

    is_supported: bool = True
    least_charge: int = 1
    most_charge: int | None = None
    step: int = 1
    least_payout: int = 1
    payout_step: int = 1
    secondary: frozenset[str] = frozenset()
