"""Why money of a contested payment is not further: our answer is due, the bank decides, or a loss has to be booked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db.models import Case, F, Func, JSONField, Value, When

from multitask.payments.losses.chargebacks import UNANSWERED
from multitask.payments.provider import ChargebackStatus
from multitask.payments.reads import json_rows


class ContestedReason(StrEnum):
    """What a contested payment waits for; they are reasons of pending money, too."""

    EVIDENCE_DUE = "evidence_due"
    LOSS_TO_BOOK = "loss_to_book"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True)
class Contested:
    """What a contested payment waits for; `until` is when our answer to the bank is due, if that is it."""

    reason: ContestedReason
    until: datetime | None = None


# What `payments_contests` returns: status, when our answer is due, whether it was answered or given up.
Contests = Sequence[Sequence[Any]]
_DECIDING: Final = Contested(ContestedReason.CONTESTED)


def expression() -> Case:
    """Return the expression, for a query of escrows, of the chargebacks that hold a frozen one."""
    found = Func(F("pk"), function="payments_contests", output_field=JSONField())
    return Case(When(frozen_at__isnull=False, then=found), default=Value(None, output_field=JSONField()))


def of(contests: Contests | None, now: datetime) -> Contested:
    """Return what a contested payment waits for.

    Of several chargebacks the one that has to be answered first counts, then those whose loss has to be booked. After
    the last moment for an answer, only the bank decides.
    """
    due = [json_rows.moment(at) for status, at, is_over in contests or () if status in UNANSWERED and not is_over]
    coming = sorted(at for at in due if at is not None and at > now)
    if coming or None in due:
        return Contested(ContestedReason.EVIDENCE_DUE, coming[0] if coming else None)
    if any(status == ChargebackStatus.LOST.value for status, _, _ in contests or ()):
        return Contested(ContestedReason.LOSS_TO_BOOK)
    return _DECIDING
