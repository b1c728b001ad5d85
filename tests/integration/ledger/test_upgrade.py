"""Books that were written under an earlier migration stay whole under the latest."""

import pytest
from django.db import DatabaseError, transaction

from multitask.ledger import invariants
from tests.integration.ledger.books import rows, settle_constraints, sql_of

POST = """
    SELECT ledger_post('moved', 'older', '{key}', now(), '', '{{}}', NULL, ARRAY['bank', 'held:1', 'bank', 'held:1'],
                       '{{USD,USD,EUR,EUR}}', '{{NULL,0,NULL,0}}', '{{32,1,32,1}}', '{{-5,5,-7,7}}')
"""


@pytest.mark.django_db
def test_entries_from_before_they_named_their_currency_get_that_of_their_account() -> None:
    rows("CREATE SCHEMA older")
    rows("SET LOCAL search_path = older")
    for text in sql_of(1, 2):
        rows(text)
    rows(POST.format(key="before"))
    settle_constraints()
    for text in sql_of(3):
        rows(text)
    rows(POST.format(key="after"))
    settle_constraints()
    assert rows("SELECT position, currency, count(*) FROM ledger_entry GROUP BY 1, 2 ORDER BY 1") == [
        (1, "USD", 2), (2, "USD", 2), (3, "EUR", 2), (4, "EUR", 2)]  # fmt: skip
    assert [rows(query) for query in invariants.QUERIES.values()] == [[]] * len(invariants.QUERIES)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows("UPDATE ledger_entry SET currency = 'EUR'")
    rows("RESET search_path")
