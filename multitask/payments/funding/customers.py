"""Clients' customer objects at the provider, which saved cards are attached to."""

from datetime import datetime
from typing import Any, Final

from multitask.payments.authorization import rate_limits
from multitask.payments.models import Customer, Operation
from multitask.payments.operations import engine
from multitask.payments.provider import Provider, ProviderError, SavesMethods, Search, supporting, supports
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
    if latest is not None and latest.state != "failed":
        return customer, engine.Call(latest)
    engine.require_answering(provider)
    if latest is not None:
        # Each failed creation is a call of its own, so trying again is limited.
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
