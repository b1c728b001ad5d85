"""Encrypts payout destinations and identities under the newest key, after `DESTINATION_KEYS` got a new first one."""

from collections.abc import Sequence
from typing import Final

from multitask import database
from multitask.database import jobs
from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import encryption

Row = type[PayoutDestination] | type[PayeeIdentity]
_BATCH: Final = 200
_TABLES: Final[tuple[Row, ...]] = (PayoutDestination, PayeeIdentity)


def reencrypt_all() -> int:
    """Encrypt every value under the newest key; return how many were under another one.

    Safe to interrupt and to repeat: 0 means that the older keys can be removed. Raises `encryption.Undecryptable`.
    """
    count = 0
    for table in _TABLES:
        ids = list(table.objects.order_by("pk").values_list("pk", flat=True))
        count += sum(_reencrypt(table, batch) for batch in jobs.batches(ids, _BATCH))
    return count


@database.transactional
def _reencrypt(table: Row, ids: Sequence[int]) -> int:
    count = 0
    for row in table.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"):
        if not encryption.is_under_newest_key(row.encrypted):
            table.objects.filter(pk=row.pk).update(encrypted=encryption.reencrypt(row.encrypted))
            count += 1
    return count
