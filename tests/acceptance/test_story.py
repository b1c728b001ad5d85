"""The story of a task end to end: real programs, from HTTP to the sandbox."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.acceptance import books
from tests.acceptance.story import Story
from tests.acceptance.system import System, in_process

pytestmark = pytest.mark.django_db
MOST_STATEMENTS = 12


def test_a_task_is_paid_from_the_card_to_the_bank(system: System) -> None:
    story, earned_before = Story(system, price="1234.56"), fees(system)

    story.play()
    books.assert_equal(system)

    checked = system.manage("check_ledger")
    assert checked.returncode == 0, checked.stderr
    escrow = story.escrow()
    assert escrow["status"] == "released"
    assert (escrow["platform_fee_amount"], escrow["freelancer_amount"]) == ("185.18", "1049.38")
    account = story.freelancer.get("/payments/connect/status/")["stripe_account_id"]
    assert system.sandbox.money()["bank_deposits"][account] == {"usd": 104_938}
    assert fees(system) - earned_before == 18_518


@pytest.mark.parametrize("key", ["", "once-and-for-all"])
def test_a_release_takes_few_statements(system: System, key: str) -> None:
    story = Story(system).to_work_done()
    headers = {"Authorization": f"Bearer {story.client.token}"} | ({"Idempotency-Key": key} if key else {})

    with in_process(system):
        with CaptureQueriesContext(connection) as captured:
            path = f"/payments/escrow/{story.escrow_id}/release/"
            answer = Client().post(path, "{}", content_type="application/json", headers=headers)
        # A transaction's own brackets are not counted: they neither read nor write.
        statements = [query["sql"] for query in captured.captured_queries if query["sql"] not in {"BEGIN", "COMMIT"}]

    assert answer.status_code == 200, answer.content
    assert len([statement for statement in statements if "::ledger_request" in statement]) == 1
    assert len(statements) <= MOST_STATEMENTS, "\n".join(statement[:150] for statement in statements)
    story.until_available()


def fees(system: System) -> int:
    """What the platform has earned, in minor units."""
    held = system.query(
        """
        SELECT coalesce(sum(balance.balance_minor), 0)::bigint FROM ledger_account account
          JOIN ledger_balance balance ON balance.account_id = account.id WHERE account.code = 'platform:fees'
        """
    )
    return int(held[0][0])
