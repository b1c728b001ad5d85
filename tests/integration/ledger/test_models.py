"""The models can read the ledger and cannot write to it."""

import pytest
from django.db import DatabaseError, models, transaction

from multitask.ledger.models import Account, Balance, Entry, Transaction
from tests.integration.ledger.books import BANK, FEES, move, settle_constraints

pytestmark = pytest.mark.django_db


def test_the_models_read_what_was_posted() -> None:
    posting = move(BANK, FEES, 5, "k", kind="paid")
    header = Transaction.objects.get(key="k")
    assert (header.id, str(header), header.legs) == (posting.id, f"paid {posting.id}", 2)
    debit, credit = header.entries.order_by("position")
    assert (str(debit.account), debit.amount_minor, str(credit)) == ("bank USD", -5, f"{posting.id}/2")
    held = Balance.objects.get(account__code="bank")
    assert (held.balance_minor, held.sequence, str(held)) == (-5, 1, f"{held.account_id}/0")
    assert Account.objects.get(code="fees").balances.count() == 32


@pytest.mark.parametrize("model", [Account, Transaction, Entry, Balance])
def test_the_models_write_nothing(model: type[models.Model]) -> None:
    move(BANK, FEES, 5)
    settle_constraints()
    found = model._default_manager.first()
    assert found is not None
    for write in (found.save, found.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            write()
