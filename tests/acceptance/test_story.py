"""The story of a task, end to end: HTTP in, sandbox out, with nothing between that is not the real thing."""


from tests.acceptance import books
from tests.acceptance.story import Story
from tests.acceptance.system import System


def test_a_task_is_paid_from_the_card_to_the_bank(system: System) -> None:
    story = Story(system, price="1234.56")

    story.play()
    books.assert_equal(system)

    escrow = story.escrow()
    assert escrow["status"] == "released"
    assert (escrow["platform_fee_amount"], escrow["freelancer_amount"]) == ("185.18", "1049.38")
    account = story.freelancer.get("/payments/connect/status/")["stripe_account_id"]
    assert system.sandbox.money()["bank_deposits"][account] == {"usd": 104_938}
    assert fees(system) == 18_518


def fees(system: System) -> int:
    """What the platform has earned, in minor units."""
    held = system.query(
        """
        SELECT sum(balance.balance_minor)::bigint FROM ledger_account account
          JOIN ledger_balance balance ON balance.account_id = account.id WHERE account.code = 'platform:fees'
        """
    )
    return int(held[0][0])
