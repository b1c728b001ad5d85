"""A large payout from a closed account cannot be recorded in small pieces by one member of the staff."""

from typing import Any

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.models import Approval, Withdrawal
from multitask.payments.payouts import closed_accounts
from multitask.users.actor import Actor
from tests.integration.backoffice.test_actions import WHY
from tests.integration.backoffice.test_closed_accounts import close
from tests.payments_world import World, dollars, user_id


@pytest.mark.parametrize("keys", [("", ""), ("key-1", "key-2")])
def test_a_record_that_makes_the_sum_large_needs_a_second_person(
    world: World, finance: Actor, settings: Any, keys: tuple[str, str]
) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 5_000
    job = world.settled()
    account = close(world, world.account(job.freelancer))

    def record(amount: str, key: str) -> Withdrawal | Approval:
        return closed_accounts.record_payout(
            actor=finance, account_id=account.pk, amount=dollars(amount), note=WHY, now=world.now, request_key=key
        )

    first = record("45.00", keys[0])
    assert isinstance(first, Withdrawal)
    asked = record("40.00", keys[1])
    assert isinstance(asked, Approval)
    assert Withdrawal.objects.get() == first

    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    amounts = Withdrawal.objects.filter(user_id=user_id(job.freelancer)).values_list("amount_minor", flat=True)
    assert sorted(amounts) == [4_000, 4_500]


def test_records_up_to_the_limit_together_and_of_other_accounts_need_none(
    world: World, finance: Actor, settings: Any
) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 5_000
    for amounts in (("45.00", "5.00"), ("50.00",)):
        account = close(world, world.account(world.settled().freelancer))
        for amount in amounts:
            found = closed_accounts.record_payout(
                actor=finance, account_id=account.pk, amount=dollars(amount), note=WHY, now=world.now
            )
            assert isinstance(found, Withdrawal)
