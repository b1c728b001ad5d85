"""Clients' customer objects at the provider, which saved cards are attached to.

A customer that was deleted at the provider is made anew by the next call that needs one.
"""

from datetime import datetime
from typing import Any, Final, NoReturn

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import UnknownObject
from multitask.payments.models import Customer, Operation, SavedMethod
from multitask.payments.operations import engine
from multitask.payments.provider import (
    CUSTOMER_GONE,
    CustomerState,
    Provider,
    ProviderError,
    Rejected,
    SavesMethods,
    Search,
    Unavailable,
    supporting,
    supports,
)
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users.actor import Actor
from multitask.users.models import User

CREATE_CUSTOMER: Final = "create_customer"


def intend(user: User, provider: str, now: datetime) -> tuple[Customer, engine.Call | None]:
    """Return the user's customer, and the call that creates it at the provider if that is still needed.

    Runs in the caller's transaction. A new call is already claimed: the caller makes it after the commit. A provider
    that does not save cards needs no customers.
    """
    customer = _customer(user, provider, now)
    if customer.provider_customer_id or not supports(engine.provider_named(provider), SavesMethods):
        return customer, None
    latest = engine.latest(CREATE_CUSTOMER, customer.pk)
    if latest is not None and OperationState(latest.state) in OPEN_OPERATIONS:
        return customer, engine.Call(latest)
    engine.require_answering(provider)
    if latest is not None:
        # It failed, or its customer was deleted. Each creation is a call of its own, so trying again is limited.
        key = f"{customer.pk}:{latest.sequence + 1}"
        rate_limits.count(user_id=user.pk, purpose=rate_limits.Purpose.CUSTOMER, key=key, now=now)
    call = engine.begin_claimed(
        CREATE_CUSTOMER,
        subject_id=customer.pk,
        provider=provider,
        user_id=user.pk,
        now=now,
        sequence=1 if latest is None else latest.sequence + 1,
        arguments={"email": user.email, "name": user.username},
    )
    return customer, call


def _customer(user: User, provider: str, now: datetime) -> Customer:
    customer = Customer.objects.select_for_update(no_key=True).filter(user=user, provider=provider).first()
    if customer is not None:
        return customer
    # If another request inserts it at the same moment, the update without effect waits for it and returns its row.
    (customer,) = Customer.objects.bulk_create(
        [Customer(user=user, provider=provider, created_at=now)],
        update_conflicts=True,
        unique_fields=["user", "provider"],
        update_fields=["provider"],
    )
    return customer


@database.transactional
def confirm(provider: str, state: CustomerState, now: datetime) -> None:
    """Apply the provider's state of a customer. Raises UnknownObject."""
    if not Customer.objects.filter(provider=provider, provider_customer_id=state.id).exists():
        raise UnknownObject(detail=state.id)
    if state.is_deleted:
        forget(provider, state.id, now)


@database.transactional
def forget(provider: str, customer_id: str, now: datetime) -> None:
    """Forget a customer that was deleted at the provider, with its cards; does nothing if that was done already."""
    locked = Customer.objects.select_for_update(no_key=True)
    customer = locked.filter(provider=provider, provider_customer_id=customer_id).first()
    if customer is None:
        return
    customer.provider_customer_id, customer.default_method_id = None, ""
    customer.save(update_fields=["provider_customer_id", "default_method_id"])
    SavedMethod.objects.filter(customer=customer, detached_at=None).update(detached_at=now)
    audit.record("customer_deleted", actor=Actor.system("provider"), now=now, user_id=customer.user_id)


def raise_missing(customer_id: int) -> NoReturn:
    """Raise why a call found no customer: Unavailable if one is being or was just created, else Rejected."""
    creation = engine.latest(CREATE_CUSTOMER, customer_id)
    is_there = Customer.objects.filter(pk=customer_id).exclude(provider_customer_id=None).exists()
    if is_there or (creation is not None and OperationState(creation.state) in OPEN_OPERATIONS):
        raise Unavailable("awaits_customer", "The customer's creation is not answered yet.")
    if creation is not None and creation.state == OperationState.FAILED.value:
        raise Rejected(creation.last_error_code, creation.last_error)
    # Nobody may ask for another customer, so a call that waited for one could wait for ever.
    raise Rejected(CUSTOMER_GONE, "Your saved details were removed at the payment provider. Please try again.")


def known_ids(customer_id: int) -> list[str]:
    """Return the ids at the provider of a customer and of those that it replaced."""
    current = Customer.objects.filter(pk=customer_id).values_list("provider_customer_id", flat=True)
    made = Operation.objects.filter(kind=CREATE_CUSTOMER, subject_id=customer_id)
    former = made.order_by("-sequence").values_list("provider_reference", flat=True)
    return [known for known in dict.fromkeys([*current, *former]) if known]


class CreateCustomer:
    """Performs `create_customer`."""

    def call(self, provider: Provider, operation: Operation) -> str:
        """Create the customer."""
        methods = supporting(provider, SavesMethods)
        return methods.create_customer(reference=operation.reference, key=operation.key, **operation.arguments)

    def find(self, provider: Provider, operation: Operation) -> Search[str]:
        """Look for the customer of an earlier attempt."""
        methods = supporting(provider, SavesMethods)
        return methods.find_customer(reference=operation.reference, email=operation.arguments["email"])

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Store the customer's id."""
        customers = Customer.objects.filter(pk=operation.subject_id, provider_customer_id=None)
        customers.update(provider_customer_id=state)
        return str(state)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Do nothing: no customer was created, and nothing has to be undone."""

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""
