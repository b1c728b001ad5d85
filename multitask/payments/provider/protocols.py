"""The functions that a payment provider may have; an adapter implements those that its provider offers.

Every call that changes something takes `key`, the idempotency key of the operation behind it, and stores `reference`
(the operation's subject, such as `create_payment:7:1`) at the provider, so that `find_*` can answer whether it ever
happened when the response was lost. `find_*` answers `Absent` only when that is certain; `since` is a moment before
which the object cannot have been made.

All methods but those without a network call, which say so, raise `Rejected`, `Unavailable` or `Unknown`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar, cast, runtime_checkable

from multitask.money import Money
from multitask.payments.provider.capabilities import Capabilities
from multitask.payments.provider.errors import NotSupported
from multitask.payments.provider.objects import (
    AccountBalance,
    AccountState,
    AmountRules,
    ChargebackState,
    Continuation,
    Failure,
    IdKind,
    InboundEvent,
    MethodState,
    OnboardingLink,
    PaymentState,
    PayoutState,
    RefundState,
    Requirement,
    SetupState,
    TransferState,
)
from multitask.payments.provider.search import Search


@runtime_checkable
class Provider(Protocol):
    """The attributes of every provider. None of them makes a network call."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...
    def amount_rules(self, currency: str) -> AmountRules: ...
    def kind_of_id(self, object_id: str) -> IdKind | None:
        """Return the kind of object that an id of the provider identifies; None for any other text."""
        ...

    def require_answering(self) -> None:
        """Raise `Unavailable` while the provider does not answer and calls would be refused at once."""
        ...


@runtime_checkable
class Collects(Protocol):
    """Takes payments from clients."""

    def create_payment(
        self, *, reference: str, amount: Money, customer_id: str, description: str, key: str
    ) -> PaymentState: ...
    def read_payment(self, payment_id: str) -> PaymentState: ...
    def find_payment(self, *, reference: str, customer_id: str) -> Search[PaymentState]: ...
    def cancel_payment(self, *, payment_id: str, key: str) -> PaymentState: ...
    def continuation(self, token: str) -> Continuation:
        """Return how the payer continues a payment, from its stored token. Not a network call."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """Refunds payments to clients."""

    def create_refund(self, *, reference: str, payment_id: str, amount: Money, key: str) -> RefundState: ...
    def read_refund(self, refund_id: str) -> RefundState: ...
    def find_refund(self, *, reference: str, payment_id: str) -> Search[RefundState]: ...
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
    def reverse_transfer(self, *, reference: str, transfer_id: str, amount: Money, key: str) -> TransferState: ...
    def find_reversal(self, *, reference: str, transfer_id: str) -> Search[TransferState]:
        """Find the transfer of which a reversal with this reference was made."""
        ...


@runtime_checkable
class PaysOut(Protocol):
    """Pays money out to banks."""

    def create_payout(self, *, reference: str, account_id: str, amount: Money, key: str) -> PayoutState: ...
    def read_payout(self, *, account_id: str, payout_id: str) -> PayoutState: ...
    def find_payout(self, *, reference: str, account_id: str, since: datetime) -> Search[PayoutState]: ...
    def payout_failure(self, code: str, message: str) -> Failure:
        """Explain the code of a failed payout. Not a network call."""
        ...


@runtime_checkable
class SavesMethods(Protocol):
    """Stores customers and their cards."""

    def create_customer(self, *, reference: str, email: str, name: str, key: str) -> str: ...
    def find_customer(self, *, reference: str, email: str) -> Search[str]: ...
    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState: ...
    def read_setup(self, setup_id: str) -> SetupState: ...
    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState: ...
    def read_method(self, method_id: str) -> MethodState: ...
    def detach_method(self, *, method_id: str, key: str) -> MethodState: ...
    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None: ...


@runtime_checkable
class Disputes(Protocol):
    """Reports chargebacks."""

    def read_dispute(self, dispute_id: str) -> ChargebackState: ...
    def list_disputes(self, *, since: datetime) -> Sequence[ChargebackState]:
        """Return all chargebacks that were opened since then, newest first; also of payments that are not ours."""
        ...


@runtime_checkable
class ReportsMoney(Protocol):
    """Reports what it holds."""

    def read_account_balance(self, account_id: str, currency: str) -> AccountBalance: ...


@runtime_checkable
class SendsWebhooks(Protocol):
    """Posts an event when an object changes."""

    def verify_webhook(self, *, body: bytes, headers: Mapping[str, str], endpoint: str, now: datetime) -> InboundEvent:
        """Check the raw body against the headers, whose names are in any case. Not a network call.

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
    SavesMethods,
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
