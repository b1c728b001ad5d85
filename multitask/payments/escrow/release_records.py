"""What a release writes: the escrow, history, audit trail and transfer, and its posting, of one or of many at once."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS
from django.db.models import JSONField

from multitask import ledger
from multitask.database import Statement
from multitask.payments.books import history
from multitask.payments.models import AuditEvent, Escrow

_EVENT_COLUMNS: Final = tuple(
    field.attname for field in AuditEvent._meta.concrete_fields if not isinstance(field, JSONField)
)
_WRITE: Final = Statement(f"""
SELECT {", ".join(_EVENT_COLUMNS)} FROM payments_release(
    %(escrow)s, %(at)s, %(released)s, %(fee)s, %(netted)s, %(made_available_at)s::timestamptz, %(key)s,
    %(history)s::jsonb, %(audit)s::jsonb, %(transfer)s::jsonb, {ledger.REQUEST_SQL})
""")  # noqa: S608 - the names of our own columns
_WRITE_MANY: Final = Statement("""
SELECT payments_release_many(%(escrows)s::jsonb, %(history)s::jsonb, %(audit)s::jsonb, %(transfers)s::jsonb)
""")


@dataclass(frozen=True, slots=True)
class Release:
    """A release that was decided: the escrow with its new values, and what is written with it.

    `transfer` is the operation that brings the share to the payee's account, or None.
    """

    escrow: Escrow
    rows: list[history.Row]
    events: list[dict[str, Any]]
    transfer: dict[str, Any] | None
    posting: ledger.Request


def write(release: Release) -> None:
    """Write everything in one statement; the order of the locks is that of the SQL function."""
    escrow = release.escrow
    values = _values(escrow) | {
        "history": history.as_json(release.rows),
        "audit": json.dumps(release.events),
        "transfer": None if release.transfer is None else json.dumps(release.transfer),
    }
    known = escrow.audit_events.all()
    # Django's cache of related rows, so that the answer, which shows the timeline, does not read it again.
    written = ledger.post_with(_WRITE, values, release.posting)
    known._result_cache = [AuditEvent.from_db(DEFAULT_DB_ALIAS, _EVENT_COLUMNS, row) for row in written]
    escrow._prefetched_objects_cache = {"audit_events": known}  # type: ignore[attr-defined]


def write_many(releases: Sequence[Release]) -> None:
    """Write several releases in two statements, all or none; the caller holds the locks of all their escrows."""
    if not releases:
        return
    _WRITE_MANY.rows(
        {
            "escrows": json.dumps([_values(release.escrow) for release in releases], default=str),
            "history": history.as_json([row for release in releases for row in release.rows]),
            "audit": json.dumps([event for release in releases for event in release.events]),
            "transfers": json.dumps(_present(release.transfer for release in releases)),
        }
    )
    ledger.post_many([release.posting for release in releases])


def _values(escrow: Escrow) -> dict[str, Any]:
    return {
        "escrow": escrow.pk,
        "at": escrow.released_at,
        "released": escrow.released_minor,
        "fee": escrow.released_fee_minor,
        "netted": escrow.netted_minor,
        "made_available_at": escrow.made_available_at,
        "key": escrow.release_key,
    }


def _present(transfers: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [transfer for transfer in transfers if transfer is not None]
