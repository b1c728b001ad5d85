"""A reading without a cursor that is broken off is taken up where it began."""

import pytest

from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.provider import ProviderError
from multitask.webhooks import statement as reading
from tests.integration.statement.books import Books


def test_a_read_without_a_cursor_that_is_broken_off_leaves_no_gap(world: Books) -> None:
    world.funded()
    world.read_all()
    for _ in range(10):
        world.sandbox.advance(86_400)
        for _ in range(45):
            world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -1, "currency": "usd"})
    world.wait(days=10)
    ProviderAccount.objects.update(cursor="")  # As after a cursor that the provider forgot.
    world.sandbox.add_fault("error_before", method="GET", path="/v1/balance_transactions", skip=2, count=1)
    with pytest.raises(ProviderError):
        reading.refresh(account_id=world.platform.pk, now=world.now)
    for _ in range(3):
        world.read_all()
    assert (StatementLine.objects.count(), world.differences()) == (451, [])
