"""Refused reversals and transfers of adjustments are in front of the staff."""

from typing import Any

from multitask.payments.authorization import approvals
from multitask.payments.losses import adjustments
from multitask.payments.models import Operation
from multitask.payments.provider import Rejected
from multitask.web.backoffice import work_items
from tests.integration.payments.losing import purse
from tests.payments_world import World, dollars, user_id


def test_staff_sees_an_adjustment_whose_transfer_was_refused(world: World, monkeypatch: Any) -> None:
    job = world.settled()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="x", now=world.now
    )

    def refused(self: Any, provider: Any, operation: Any) -> Any:
        raise Rejected("refused", "Refused")

    monkeypatch.setattr(adjustments.TransferAdjustment, "call", refused)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    operation = Operation.objects.get(kind="transfer_adjustment")
    assert (operation.state, purse(world, job)) == ("failed", (5_000, 8_500, 0))
    world.wait(days=3)
    shown = [item.name for item in work_items.ITEMS if item.rows(world.now).exists()]
    assert shown, "nobody is told, and no command transfers it again"


def test_staff_sees_a_refused_reversal(world: World, monkeypatch: Any) -> None:
    from multitask.payments.models import Reversal
    from multitask.payments.payouts import reversals
    from tests.integration.payments.test_money_moved_outside import refund_late

    job = world.settled()

    def refused(self: Any, provider: Any, operation: Any) -> Any:
        raise Rejected("refused", "Refused")

    monkeypatch.setattr(reversals.CreateReversal, "call", refused)
    refund_late(world, job)
    assert Reversal.objects.get().state == "failed"
    world.wait(days=3)
    shown = [item.name for item in work_items.ITEMS if item.rows(world.now).exists()]
    assert shown, "the platform's money stays in the payee's account, and nobody is told"
