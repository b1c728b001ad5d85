"""Errors of provider calls, by whether the call may have had an effect."""

from datetime import timedelta
from typing import Final

# The code of a refusal because the customer was deleted at the provider; its `object_id` is the customer's id.
CUSTOMER_GONE: Final = "customer_gone"
# The code where a payment's last try did not pay, but an earlier one did that has to be named to be read.
PAID_BY_UNNAMED: Final = "unexpected_paid_order"
# The code where a payment was named by a try that belongs to another one.
OTHER_ORDER: Final = "unexpected_order"


class ProviderError(Exception):
    """A call to a provider failed. `code` is the provider's, `message` can be shown to users."""

    def __init__(self, code: str, message: str, *, object_id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.object_id = object_id


class Rejected(ProviderError):
    """A permanent refusal: the call had no effect, and the same call will never succeed."""


class NotSupported(Rejected):
    """The provider has no such function, as `Capabilities.supports` says; no call was made."""

    def __init__(self, provider: str, wanted: str) -> None:
        super().__init__("not_supported", f"The payment provider {provider} does not support this: {wanted}.")


class Unavailable(ProviderError):
    """The provider did nothing yet (rate limit, key still in flight, funds short): the same call may succeed later.

    `key_spent` is true when the provider will repeat this refusal to the same key, so that a later attempt needs a
    new one; that is safe, because the refusal proves that the old key moved nothing.
    `refuses_all` is true when any call of this kind would be refused now, so that its object is not the cause.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: timedelta | None = None,
        key_spent: bool = False,
        refuses_all: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.key_spent = key_spent
        self.refuses_all = refuses_all


class Unknown(ProviderError):
    """A timeout, a broken connection or a 5xx: the call may or may not have had its effect.

    `replayed` is true if the response is an idempotent replay: the same key will not have any other outcome.
    """

    def __init__(self, code: str, message: str, *, replayed: bool = False) -> None:
        super().__init__(code, message)
        self.replayed = replayed


class InvalidSignature(ProviderError):
    """The signature of a webhook is missing, malformed, expired or wrong."""
