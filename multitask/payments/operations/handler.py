"""The interface of the handlers, one for each kind of operation; `payments.operation_handlers` lists them."""

from datetime import datetime
from typing import Any, Protocol

from multitask.payments.models import Operation
from multitask.payments.provider import Provider, ProviderError, Search


class Handler(Protocol):
    """What one kind of operation does."""

    def call(self, provider: Provider, operation: Operation) -> Any:
        """Make the call under the operation's key; return the provider's object."""

    def find(self, provider: Provider, operation: Operation) -> Search[Any]:
        """Look for the object that an earlier attempt may have made."""

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Apply the provider's object to the domain, idempotently; return its id."""

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Compensate for a final refusal, idempotently."""

    def hold(self, operation: Operation) -> str:
        """Return why the operation must wait, or an empty string; lock what that depends on."""
