"""Idempotency keys: a repeated request gets the response of the first one, so that clients can retry safely.

A record of the key is committed before anything is done, and the answer is written into it
afterwards. A crash in between leaves the record in flight: once its lock has expired, the next
request with the key executes again *with the same request key*. So every command that is called
here must recognise a request key that it has seen and return what it returned then. That makes
retries safe; this table only makes them fast and the response identical.

Neither statement waits for the disk, where the command's own commit does: the claim is written to the log before it, so
it lasts wherever the command does, and an answer that a crash takes back is the crash in between. A conflict has no
commit of its own, so its answer waits.

Successes and conflicts (409) are stored. Not stored are responses without any effect after which a
retry may succeed (400, 401, 403, 404, 422, 429), and server errors (5xx), whose outcome is unknown.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from pydantic import BaseModel

from multitask.database import Statement, purging, transactional
from multitask.database.clocks import AHEAD
from multitask.web.api import error_statuses
from multitask.web.api.auth import user_of
from multitask.web.api.models import IdempotencyPurge, IdempotencyRecord, IdempotencyState
from multitask.web.api.request_errors import Refused

LONGEST_KEY = 255
# For the transaction of one statement. The log is written in order: whatever commits afterwards makes this last too.
_WITHOUT_WAITING = "set_config('synchronous_commit', 'off', true)"
_INSERT = Statement(f"""
INSERT INTO api_idempotencyrecord
    (user_id, key, endpoint, request_hash, request_key, state, attempts, created_at, locked_until)
VALUES (%(user)s, %(key)s, %(endpoint)s, %(hash)s, %(request_key)s, 'in_flight', 1, %(now)s, %(until)s)
ON CONFLICT (user_id, key) DO NOTHING
RETURNING id, {_WITHOUT_WAITING}
""")  # noqa: S608 - a constant
_STORED = """
UPDATE api_idempotencyrecord SET state = 'done', response_status = %(status)s, response_body = %(body)s
 WHERE id = %(id)s AND state = 'in_flight' AND locked_until = %(until)s
RETURNING
"""
_STORE = Statement(f"{_STORED} id")
_STORE_SOON = Statement(f"{_STORED} {_WITHOUT_WAITING}")
# Longer than a request can take (two calls at the provider included), since two executions at once
# are safe but useless; short enough to recover from a crash within a minute.
LOCK = timedelta(seconds=50)
# Few requests take as long as their lock, so callers should retry soon.
SOON_SECONDS = 1
KEY_LIFETIME = timedelta(hours=48)
# A record is deleted only once this many runs of `purge`, one an hour, have passed since one that saw it. A clock that
# is ahead adds one run at most, since ticks that were missed count once.
RUNS_KEPT = 48
REPLAYED = "Idempotent-Replayed"

Execute = Callable[[str], tuple[int, BaseModel]]


class InvalidKey(Refused):
    """The key is empty, too long, or not of visible ASCII characters; a comma joins two keys that were sent."""

    code = "invalid_idempotency_key"
    message = f"An Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters without a comma, and is sent once."


class KeyReused(Refused):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request. Use a new key."


class InFlight(Refused):
    """The first request with the key is still being worked on."""

    code = "idempotency_in_flight"
    message = "The first request with this Idempotency-Key is still being worked on. Ask again in a moment."


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to execute. A takeover changes `locked_until`, so the claim holds while it is unchanged."""

    record_id: int
    request_key: uuid.UUID
    locked_until: datetime
    is_first: bool


def idempotent(
    request: HttpRequest,
    *,
    endpoint: str,
    body: BaseModel | None,
    execute: Execute,
) -> HttpResponse:
    """Execute a request once per Idempotency-Key and answer each retry like the first request.

    `endpoint` names the operation and its object, such as `escrow/12/release`. `execute` is given
    a request key, to hand on to the command, and returns status and payload; without an
    Idempotency-Key the request key is a fresh one. Raises InvalidKey, KeyReused, InFlight, and
    whatever `execute` raises.
    """
    key = _key(request)
    if key is None:
        status, payload = execute(str(uuid.uuid4()))
        return _response(status, _json(payload))
    claimed = _claim(user_of(request).pk, key, endpoint, _hash(endpoint, body), timezone.now())
    if isinstance(claimed, HttpResponse):
        return claimed
    try:
        status, payload = execute(str(claimed.request_key))
    except Exception as error:
        _settle_failure(claimed, error_statuses.answer(error))
        raise
    content = _json(payload)
    _store(claimed, status, content, _STORE_SOON)
    return _response(status, content)


def purge(*, now: datetime, older_than: timedelta = KEY_LIFETIME) -> int:
    """Delete old records; return how many.

    Old is what both the clock and the number of runs say: a clock that was days ahead for one run would otherwise
    delete all records, and each retry would be executed again.

    The statement that deletes checks the condition again for a row that a concurrent retry updates: either the retry
    finds no record and starts over, or the record stays.
    """
    before = now - older_than
    old = IdempotencyRecord.objects.filter(pk__lte=_count_run(), created_at__lt=before, locked_until__lt=before)
    return purging.delete(old)


@transactional
def _count_run() -> int:
    """Store the highest id at this run; return the highest id at `RUNS_KEPT` runs ago, 0 if there were fewer."""
    earlier = list(IdempotencyPurge.objects.order_by("-pk")[:RUNS_KEPT])
    highest = IdempotencyRecord.objects.aggregate(highest=Max("pk"))["highest"] or 0
    IdempotencyPurge.objects.create(highest_id=highest)
    if len(earlier) < RUNS_KEPT:
        return 0
    IdempotencyPurge.objects.filter(pk__lte=earlier[-1].pk).delete()
    return earlier[-1].highest_id


def _key(request: HttpRequest) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    # Two headers of one name reach us as "a,b", which would be a third key beside either.
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= one <= "~" and one != "," for one in key):
        raise InvalidKey
    return key


def _hash(endpoint: str, body: BaseModel | None) -> str:
    """Hash what the request asks for; the order of its fields and white space do not count."""
    sent: Any = None if body is None else body.model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps([endpoint, sent], sort_keys=True).encode()).hexdigest()


def _claim(user_id: int, key: str, endpoint: str, request_hash: str, now: datetime) -> "_Claim | HttpResponse":
    """Return a claim to execute, or the stored answer of the first execution."""
    claim = _insert(user_id, key, endpoint, request_hash, now)
    if claim is not None:
        return claim
    record = IdempotencyRecord.objects.filter(user_id=user_id, key=key).first()
    if record is None:
        # Deleted between the two statements: the next request finds the key free.
        raise InFlight(retry_after=SOON_SECONDS)
    if record.request_hash != request_hash:
        raise KeyReused
    if record.state == IdempotencyState.DONE:
        return _replay(record)
    return _take_over(record, now)


def _insert(user_id: int, key: str, endpoint: str, request_hash: str, now: datetime) -> _Claim | None:
    """Insert the record in a statement that commits by itself; None when the key exists."""
    claim_key, locked_until = uuid.uuid4(), now + LOCK
    values = {
        "user": user_id,
        "key": key,
        "endpoint": endpoint,
        "hash": request_hash,
        "request_key": claim_key,
        "now": now,
        "until": locked_until,
    }
    for record_id, _ in _INSERT.rows(values):
        return _Claim(record_id, claim_key, locked_until, is_first=True)
    return None


def _take_over(record: IdempotencyRecord, now: datetime) -> _Claim:
    """Claim a record whose lock has expired, or lies too far ahead to be right.

    Raises InFlight when another request holds or gets it.
    """
    if now < record.locked_until <= now + LOCK + AHEAD:
        raise InFlight(retry_after=SOON_SECONDS)
    locked_until = now + LOCK
    taken = IdempotencyRecord.objects.filter(
        pk=record.pk, state=IdempotencyState.IN_FLIGHT, locked_until=record.locked_until
    ).update(locked_until=locked_until, attempts=F("attempts") + 1)
    if not taken:
        raise InFlight(retry_after=SOON_SECONDS)
    return _Claim(record.pk, record.request_key, locked_until, is_first=False)


def _settle_failure(claim: _Claim, answer: error_statuses.Answer) -> None:
    if answer.status == 409:
        _store(claim, answer.status, json.dumps(answer.body), _STORE)
    elif answer.status < 500 and claim.is_first:
        # Nothing was done under this key, so a corrected request may use it.
        _held(claim).delete()
    else:
        # After a fault or an earlier attempt something may have been done, so the next attempt must
        # use the same request key. It may start at once.
        _held(claim).update(locked_until=timezone.now())


def _store(claim: _Claim, status: int, content: str, statement: Statement) -> None:
    """Write the answer, unless another request has taken the record over."""
    statement.rows({"status": status, "body": content, "id": claim.record_id, "until": claim.locked_until})


def _held(claim: _Claim) -> Any:
    """Select the record unless another request has taken it over."""
    return IdempotencyRecord.objects.filter(
        pk=claim.record_id, state=IdempotencyState.IN_FLIGHT, locked_until=claim.locked_until
    )


def _replay(record: IdempotencyRecord) -> HttpResponse:
    response = _response(record.response_status or 200, record.response_body or "")
    response[REPLAYED] = "true"
    return response


def _json(payload: BaseModel) -> str:
    return payload.model_dump_json()


def _response(status: int, content: str) -> HttpResponse:
    return HttpResponse(content, status=status, content_type="application/json; charset=utf-8")
