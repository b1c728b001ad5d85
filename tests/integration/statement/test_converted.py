"""Lines of payments that settled in another currency."""

from multitask.payments.books import statement as stored
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.webhooks import statement
from tests.integration.payments.test_losses_converted import job, lost
from tests.payments_world import Job, World

__all__ = ["job"]


def test_the_lines_of_its_chargeback_are_matched(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    stored.add_accounts(["stripe"], world.now)
    platform = ProviderAccount.objects.get(account=None)
    statement.refresh(account_id=platform.pk, now=world.now)
    lines = StatementLine.objects.filter(object_id=chargeback.provider_dispute_id)
    assert set(lines.values_list("state", flat=True)) == {"matched"}
