"""Encrypts all encrypted values under the newest key, after `DESTINATION_KEYS` got a new first one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db.models import Exists, OuterRef, Q

from multitask import database
from multitask.database import jobs
from multitask.payments.models import CardToken, Disbursement, PayeeIdentity, PayoutDestination
from multitask.payments.payouts import encryption

log = structlog.get_logger(__name__)

Row = type[PayoutDestination] | type[PayeeIdentity] | type[CardToken]
_BATCH: Final = 200
_TABLES: Final[tuple[Row, ...]] = (PayoutDestination, PayeeIdentity, CardToken)


@dataclass(frozen=True, slots=True)
class Result:
    """How many values were encrypted anew, how many no key decrypts, and how many of those are still in use."""

    encrypted: int = 0
    unreadable: int = 0
    unreadable_in_use: int = 0

    def __add__(self, other: "Result") -> "Result":
        """Return the sums."""
        return Result(
            self.encrypted + other.encrypted,
            self.unreadable + other.unreadable,
            self.unreadable_in_use + other.unreadable_in_use,
        )


def reencrypt_all(*, now: datetime) -> Result:
    """Encrypt every value under the newest key that is under another one.

    Safe to interrupt and to repeat: once nothing is encrypted anew, the older keys can be removed. A value that none of
    the keys decrypts is logged, counted and left as it is.
    """
    done = Result()
    for table in _TABLES:
        ids = list(table.objects.order_by("pk").values_list("pk", flat=True))
        for batch in jobs.batches(ids, _BATCH):
            done += _reencrypt(table, batch, now)
    return done


@database.transactional
def _reencrypt(table: Row, ids: Sequence[int], now: datetime) -> Result:
    encrypted, unreadable = 0, []
    for row in table.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"):
        if encryption.is_under_newest_key(row.encrypted):
            continue
        try:
            renewed = encryption.reencrypt(row.encrypted)
        except encryption.Undecryptable as error:
            log.error("value_undecryptable", row=str(row.public_id), reason=str(error))
            unreadable.append(row.pk)
            continue
        table.objects.filter(pk=row.pk).update(encrypted=renewed)
        encrypted += 1
    in_use = table.objects.filter(_is_in_use(table, now), pk__in=unreadable).count()
    return Result(encrypted, len(unreadable), in_use)


def _is_in_use(table: Row, now: datetime) -> Q:
    """Return the condition of rows that were not replaced or removed, or to which a payout is still to go.

    A card's token counts as not in use: without it the client enters the card once more.
    """
    if table is CardToken:
        return Q(pk__in=[])
    if table is PayeeIdentity:
        return Q(replaced_at=None)
    coming = Disbursement.objects.filter(destination=OuterRef("pk"), ended_at=None)
    return Q(retired_at=None) | Q(retired_at__gt=now) | Q(Exists(coming))
