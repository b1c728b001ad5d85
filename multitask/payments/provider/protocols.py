"""The functions that a payment provider may have; an adapter implements those that its provider offers.

Every call that changes something takes `key`, the idempotency key of the operation behind it, and stores `reference`
(the operation's subject, such as `create_payment:7:1`) at the provider, so that `find_*` can answer whether it ever
happened when the response was lost. `find_*` answers `Absent` only when that is certain; `since` is a moment before
which the object cannot have been made.

All methods but those without a network call, which say so, raise `Rejected`, `Unavailable` or `Unknown`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol, TypeVar, cast, runtime_checkable

from multitask.money import Money
from multitask.payments.provider.capabilities import Capabilities
from multitask.payments.provider.destinations import Destination, DestinationKind
from multitask.payments.provider.errors import NotSupported
from multitask.payments.provider.evidence import EvidenceContent, EvidenceUpload, FraudWarningState
from multitask.payments.provider.identifiers import IdKind
from multitask.payments.provider.objects import (
    NO_QUERY,
    UNNAMED_PAYER,
    AccountState,
    AmountRules,
    ChargebackState,
    Continuation,
    CustomerState,
    Failure,
    InboundEvent,
    MethodState,
    OnboardingLink,
    Payer,
    PaymentState,
    PayoutState,
    RefundState,
    Requirement,
    Returned,
    SetupState,
    TransferState,
)
from multitask.payments.provider.saved_cards import SavedCard
from multitask.payments.provider.search import Search
from multitask.payments.provider.statements import AccountBalance, StatementEntry


@runtime_checkable
class Provider(Protocol):
    """The attributes of every provider. None of them makes a network call."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...
    def amount_rules(self, currency: str) -> AmountRules: ...
    def kinds_of_id(self, object_id: str) -> frozenset[IdKind]:
        """Return the kinds of objects that an id of this form may identify; none for any other text."""
        ...

    def require_answering(self) -> None:
        """Raise `Unavailable` while the provider does not answer and calls would be refused at once."""
        ...


@runtime_checkable
class Collects(Protocol):
    """Takes payments from clients."""

    def create_payment(
        self,
        *,
        reference: str,
        amount: Money,
        customer_id: str,
        description: str,
        key: str,
        payer: Payer = UNNAMED_PAYER,
    ) -> PaymentState: ...
    def read_payment(self, payment_id: str) -> PaymentState: ...
    def find_payment(self, *, reference: str, customer_id: str) -> Search[PaymentState]: ...
    def cancel_payment(self, *, payment_id: str, key: str, created_by: datetime | None = None) -> PaymentState:
        """Cancel a payment that was not paid; `created_by` is a moment by which it existed.

        Return it as cancelled only if it certainly cannot be paid any more; else `Rejected`, and it is asked again.
        """
        ...

    def continuation(self, token: str) -> Continuation:
        """Return how the payer continues a payment, from its stored token. Not a network call."""
        ...

    def returned(self, query: Mapping[str, str]) -> Returned:
        """Return what the parameters say with which a payer comes back from the provider's page. Not a network call.

        They are a hint at most: what became of the payment is read from the provider.
        """
        ...


@runtime_checkable
class Refunds(Protocol):
    """Refunds payments to clients.

    `collection_id` is the provider's id of the money that the payment took. `refunded` is what had been refunded of
    the payment before: a provider that stores no references knows only totals, and refunds of one payment are sent
    there one after the other.
    """

    def create_refund(
        self, *, reference: str, payment_id: str, amount: Money, key: str, collection_id: str = ""
    ) -> RefundState: ...
    def read_refund(self, refund_id: str) -> RefundState: ...
    def find_refund(
        self,
        *,
        reference: str,
        payment_id: str,
        collection_id: str = "",
        amount: Money | None = None,
        refunded: Money | None = None,
    ) -> Search[RefundState]: ...
    def refund_failure(self, code: str, message: str) -> Failure:
        """Explain the code of a failed refund. Not a network call."""
        ...


@runtime_checkable
class HoldsAccounts(Protocol):
    """Holds accounts of freelancers, who complete them on the provider's own pages."""

    def create_account(self, *, reference: str, email: str, country: str, currency: str, key: str) -> AccountState: ...
    def read_account(self, account_id: str) -> AccountState: ...
    def find_account(self, *, reference: str, since: datetime) -> Search[AccountState]: ...
    def create_onboarding_link(self, *, account_id: str, refresh_url: str, return_url: str) -> OnboardingLink: ...
    def create_login_link(self, account_id: str) -> str:
        """Return an address that opens a complete account once, where its owner changes the bank details."""
        ...

    def close_account(self, *, account_id: str, key: str) -> AccountState:
        """Close an account that holds no money, for good."""
        ...

    def bank_currency(self, country: str) -> str:
        """Return the currency of bank accounts in a country; empty if accounts there are not possible.

        Not a network call.
        """
        ...

    def requirement(self, name: str) -> Requirement | None:
        """Return the requirement for a name in `requirements_due`. Not a network call."""
        ...


@runtime_checkable
class Transfers(Protocol):
    """Moves money to the accounts that the provider holds, and back."""

    def create_transfer(
        self, *, reference: str, amount: Money, account_id: str, collection_id: str, key: str
    ) -> TransferState: ...
    def read_transfer(self, transfer_id: str) -> TransferState: ...
    def find_transfer(self, *, reference: str, account_id: str, since: datetime) -> Search[TransferState]: ...
    def reverse_transfer(self, *, reference: str, transfer_id: str, amount: Money, key: str) -> TransferState:
        """Reverse a transfer or a part of it; return the transfer as it is afterwards."""
        ...

    def find_reversal(self, *, reference: str, transfer_id: str) -> Search[TransferState]:
        """Find the transfer of which a reversal with this reference was made."""
        ...


@runtime_checkable
class PaysOut(Protocol):
    """Pays money out to banks."""

    def create_payout(self, *, reference: str, account_id: str, amount: Money, key: str) -> PayoutState: ...
    def cancel_payout(self, *, account_id: str, payout_id: str, key: str) -> PayoutState:
        """Cancel a payout that has not left. `Rejected` if it has."""
        ...

    def read_payout(self, *, account_id: str, payout_id: str) -> PayoutState: ...
    def find_payout(self, *, reference: str, account_id: str, since: datetime) -> Search[PayoutState]: ...
    def payout_failure(self, code: str, message: str) -> Failure:
        """Explain the code of a failed payout. Not a network call."""
        ...


# How many payouts are read together, since a provider may allow few calls.
DISBURSEMENTS_AT_ONCE: Final = 50


@runtime_checkable
class Disburses(Protocol):
    """Pays money out of the platform's own prepaid budget to payees who have no account at the provider.

    `reference` is a UUID, the payout's only name on both sides: a call is never repeated under it.
    """

    def disburse(self, *, reference: str, destination: Destination, amount: Money) -> PayoutState:
        """Pay out. `Unavailable` with the code `budget_short` when the budget does not cover it."""
        ...

    def read_disbursement(self, payout_id: str) -> PayoutState: ...
    def read_disbursements(self, payout_ids: Sequence[str]) -> Mapping[str, PayoutState]:
        """Read up to `DISBURSEMENTS_AT_ONCE` payouts, by their ids; leave out what is not listed or not understood."""
        ...

    def find_disbursement(self, *, reference: str, kind: DestinationKind) -> Search[PayoutState]: ...
    def least_disbursement(self, kind: DestinationKind, currency: str) -> Money:
        """Return the least that can be paid out to a destination of this kind. Not a network call."""
        ...

    def most_disbursement(self, kind: DestinationKind, currency: str) -> Money | None:
        """Return the most that can be paid out at once to such a destination; None without a known limit.

        Not a network call.
        """
        ...

    def local_day(self, moment: datetime) -> date:
        """Return the day of a moment where the provider and its banks are, as their documents have it.

        Not a network call.
        """
        ...

    def read_budget(self, currency: str) -> Money:
        """Return what the budget holds now."""
        ...

    def hinted_payout(self, body: bytes) -> str:
        """Return the id of the payout that an unsigned callback names; empty for anything else.

        Not a network call. Anybody may have sent it: the payout is read from the provider, if it is ours.
        """
        ...

    def payout_failure(self, code: str, message: str) -> Failure:
        """Explain the code of a failed payout. Not a network call."""
        ...


@runtime_checkable
class SavesMethods(Protocol):
    """Stores customers and their cards."""

    def create_customer(self, *, reference: str, email: str, name: str, key: str) -> str: ...
    def find_customer(self, *, reference: str, email: str) -> Search[str]: ...
    def read_customer(self, customer_id: str) -> CustomerState: ...
    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState: ...
    def read_setup(self, setup_id: str) -> SetupState: ...
    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState: ...
    def read_method(self, method_id: str) -> MethodState: ...
    def detach_method(self, *, method_id: str, key: str) -> MethodState: ...
    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None: ...


@runtime_checkable
class OffersSavedCards(Protocol):
    """Offers a payer's saved cards on its payment page, by tokens that the platform stores.

    A webhook brings the token of a card that the payer has let the provider keep (`InboundEvent.saved_card`);
    `create_payment` takes the tokens of its payer.
    """

    @property
    def most_saved_cards(self) -> int:
        """How many saved cards a payment page offers. Not a network call."""
        ...

    def is_saved_by(self, card: SavedCard, payer: Payer) -> bool:
        """Return whether a card was saved by this payer, by what the provider was told of them. Not a network call."""
        ...


@runtime_checkable
class Disputes(Protocol):
    """Reports chargebacks and early fraud warnings, and answers chargebacks."""

    def read_dispute(self, dispute_id: str) -> ChargebackState: ...
    def accept_dispute(self, *, dispute_id: str, key: str) -> ChargebackState:
        """Accept a chargeback as lost, for good; one that is closed already is returned as it is."""
        ...

    def list_disputes(self, *, since: datetime) -> Sequence[ChargebackState]:
        """Return all chargebacks that were opened since then, newest first; also of payments that are not ours."""
        ...

    def upload_evidence(self, *, upload: EvidenceUpload, key: str) -> str:
        """Upload a file for the evidence of a chargeback; return its id. One that is not used has no effect."""
        ...

    def submit_evidence(self, *, dispute_id: str, content: EvidenceContent, key: str) -> ChargebackState:
        """Send the evidence to the bank, for good."""
        ...

    def read_fraud_warning(self, warning_id: str) -> FraudWarningState: ...
    def list_fraud_warnings(self, *, since: datetime) -> Sequence[FraudWarningState]:
        """Return all early fraud warnings since then, newest first; also of payments that are not ours."""
        ...


@runtime_checkable
class ReportsMoney(Protocol):
    """Reports what it holds, and every movement of it. The platform's own account has the id ""."""

    def read_account_balance(self, account_id: str, currency: str) -> AccountBalance: ...
    def read_balances(self, account_id: str) -> Sequence[AccountBalance]:
        """Return the balance of the account in each of its currencies."""
        ...

    def read_statement(self, *, account_id: str, after: str, since: datetime) -> Iterator[Sequence[StatementEntry]]:
        """Yield the lines of the account's statement in pages, each by one call.

        With `after`, the id of a line: the lines behind it, oldest page first. Without: those since `since`, newest
        page first. Within a page the oldest line comes first. A line that cannot be represented is logged and left
        out.
        """
        ...


@runtime_checkable
class SendsWebhooks(Protocol):
    """Posts an event when an object changes."""

    def verify_webhook(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        endpoint: str,
        now: datetime,
        query: Mapping[str, str] = NO_QUERY,
    ) -> InboundEvent:
        """Check the raw body against the headers or the query of its address. Not a network call.

        Names of headers are in any case; a name that is given several times in the query has the last value.
        `endpoint` names the one that received it, where a provider has several with different secrets; an empty one
        is any of them. Raises InvalidSignature.
        """
        ...


PROTOCOLS: Final[tuple[type, ...]] = (
    Collects,
    Refunds,
    HoldsAccounts,
    Transfers,
    PaysOut,
    Disburses,
    SavesMethods,
    OffersSavedCards,
    Disputes,
    ReportsMoney,
    SendsWebhooks,
)

Wanted = TypeVar("Wanted")


def supports(provider: Provider, wanted: type[Any]) -> bool:
    """Return whether a provider has declared one of the protocols."""
    return wanted in provider.capabilities.supports


def supporting(provider: Provider, wanted: type[Wanted]) -> Wanted:
    """Return the provider as one that has this protocol. Raises NotSupported."""
    if not supports(provider, wanted):
        raise NotSupported(provider.name, wanted.__name__)
    return cast("Wanted", provider)
