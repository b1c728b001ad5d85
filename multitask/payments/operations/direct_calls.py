"""Calls to a provider that move no money, need no operation, and are made while a person waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from multitask.payments.errors import ProviderRefused, ProviderUnavailable
from multitask.payments.provider import ProviderError, Rejected, Unavailable


@contextmanager
def answered() -> Iterator[None]:
    """Turn the provider's errors inside the block into ProviderRefused or ProviderUnavailable."""
    try:
        yield
    except Rejected as error:
        raise ProviderRefused(error.message, detail=error.code) from error
    except ProviderError as error:
        wait = error.retry_after if isinstance(error, Unavailable) else None
        raise ProviderUnavailable(detail=error.code, wait=wait) from error
