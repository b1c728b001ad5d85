"""`post`, `post_with` and `post_many`, the only functions that write to the ledger."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from multitask.database import Statement, in_transaction
from multitask.ledger import errors
from multitask.money import Money

_CODE: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,200}", re.ASCII)
# PostgreSQL cannot store NUL and lone surrogates.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 2000
_MOST_LEGS: Final = 1000
_MOST_SHARDS: Final = 256
_MOST_POSTINGS: Final = 1000
_MOST_LEGS_OF_ALL: Final = 10_000

# The two results are read as one composite value, whose parts are strings. SELECT * FROM ledger_post(...) would be
# slower, since PostgreSQL would first store the row in a tuplestore.
_POST_SQL: Final = """
SELECT ledger_post(%s, %s, %s, %s, %s, %s::jsonb, %s,
                   %s::text[], %s::text[], %s::bigint[], %s::smallint[], %s::bigint[])
"""
# The posting of `post_with`, for a function of the database that calls `ledger_post_request`.
REQUEST_SQL: Final = """
ROW(%(posting_kind)s, %(posting_scope)s, %(posting_key)s, %(posting_effective_at)s, %(posting_description)s,
    %(posting_details)s, %(posting_reverses)s, %(posting_codes)s, %(posting_currencies)s, %(posting_floors)s,
    %(posting_shards)s, %(posting_amounts)s)::ledger_request
"""
_REQUEST: Final = tuple(re.findall(r"posting_\w+", REQUEST_SQL))
_POST_MANY_SQL: Final = """
SELECT posting_ids, created
  FROM ledger_post_many(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::jsonb[], %s::uuid[],
                        %s::smallint[], %s::text[], %s::text[], %s::bigint[], %s::smallint[], %s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account by its code, and the terms with which the first posting opens it.

    `floor_minor` is the lowest balance that it may have (zero or less; None for no floor). The balance of a hot
    account is spread over several rows: `shards` is their number, and such an account has no floor.
    """

    code: str
    floor_minor: int | None = 0
    shards: int = 1

    def __post_init__(self) -> None:
        """Refuse a code or terms that the database would refuse."""
        if not isinstance(self.code, str) or not _CODE.fullmatch(self.code):
            raise errors.PostingInvalid("An account code is up to 200 letters, digits and _ . : @ -")
        if self.floor_minor is not None and (type(self.floor_minor) is not int or self.floor_minor > 0):
            raise errors.PostingInvalid("The floor of an account is zero or less: accounts start with a zero balance.")
        if type(self.shards) is not int or not 1 <= self.shards <= _MOST_SHARDS:
            raise errors.PostingInvalid(f"An account has 1 to {_MOST_SHARDS} shards.")
        if self.shards > 1 and self.floor_minor is not None:
            raise errors.PostingInvalid("An account with several shards has no floor: no shard has the whole balance.")


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a transaction: a positive amount credits the account, a negative one debits it."""

    account: AccountRef
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One transaction to post with `post_with` or `post_many`; the fields are the arguments of `post`."""

    kind: str
    scope: str
    key: str
    legs: Sequence[Leg]
    effective_at: datetime
    description: str = ""
    details: Mapping[str, str] | None = None
    reverses: UUID | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """The result of a posting: the id of the transaction, and whether this call or an earlier one created it."""

    id: UUID
    created: bool


def post(
    *,
    kind: str,
    scope: str,
    key: str,
    legs: Sequence[Leg],
    effective_at: datetime,
    description: str = "",
    details: Mapping[str, str] | None = None,
    reverses: UUID | None = None,
) -> Posting:
    """Post one transaction in one statement, inside the caller's database transaction (`atomic` or `database.run`).

    Accounts are opened on first use; each account has one leg. Legs of zero are left out. A repeated scope and key
    with the same kind, reversal and legs returns the earlier posting with `created` False; with other legs it raises
    IdempotencyConflict. A LedgerError or a database error aborts the caller's transaction, as every error in
    PostgreSQL does; deadlocks (possible only if one database transaction posts several times) and lock timeouts
    are raised as Django's OperationalError.
    """
    request = Request(
        kind=kind,
        scope=scope,
        key=key,
        legs=legs,
        effective_at=effective_at,
        description=description,
        details=details,
        reverses=reverses,
    )
    parameters = _parameters(request)
    with errors.translated(), connection.cursor() as cursor:
        cursor.execute(_POST_SQL, parameters)
        ((posting_id, created),) = cursor.fetchone()
    return Posting(UUID(posting_id), created == "t")


def post_with(statement: Statement, parameters: Mapping[str, Any], request: Request) -> list[tuple[Any, ...]]:
    """Run a statement that writes something and posts `request` at its end; return its rows.

    The statement passes `REQUEST_SQL` to a function of the database, which calls `ledger_post_request`. The same as
    running the statement and calling `post`, with the same errors, in one round trip.
    """
    values = dict(zip(_REQUEST, _parameters(request), strict=True))
    with errors.translated():
        return statement.rows({**parameters, **values})


def _parameters(request: Request) -> list[Any]:
    """Check a request and return the arguments of `ledger_post`."""
    if not in_transaction():
        raise errors.NotInTransaction
    moving = _checked_legs(request.legs)
    details = request.details or {}
    _check_texts(request.kind, request.scope, request.key, request.description, details)
    _check_moment(request.effective_at)
    return [
        request.kind,
        request.scope,
        request.key,
        request.effective_at,
        request.description,
        json.dumps(dict(details)),
        request.reverses,
        *_columns(moving),
    ]


def post_many(requests: Sequence[Request]) -> list[Posting]:
    """Post up to 1,000 transactions in one statement, all of them or none; return their results in the same order.

    The same as calling `post` for each of them, with the same errors, but every balance is locked once, in one order
    for all, and all entries are recorded at one moment. No account may fall below its floor in between.
    """
    if not in_transaction():
        raise errors.NotInTransaction
    if not requests:
        return []
    moving = [_checked_legs(request.legs) for request in requests]
    for request in requests:
        _check_texts(request.kind, request.scope, request.key, request.description, request.details or {})
        _check_moment(request.effective_at)
    if len(requests) > _MOST_POSTINGS or sum(map(len, moving)) > _MOST_LEGS_OF_ALL:
        raise errors.PostingInvalid(
            f"One call posts up to {_MOST_POSTINGS} transactions with {_MOST_LEGS_OF_ALL} legs altogether."
        )
    parameters: list[Any] = [
        [request.kind for request in requests],
        [request.scope for request in requests],
        [request.key for request in requests],
        [request.effective_at for request in requests],
        [request.description for request in requests],
        [json.dumps(dict(request.details or {})) for request in requests],
        [request.reverses for request in requests],
        [len(legs) for legs in moving],
        *_columns([leg for legs in moving for leg in legs]),
    ]
    with errors.translated(), connection.cursor() as cursor:
        cursor.execute(_POST_MANY_SQL, parameters)
        ((posting_ids, created),) = cursor.fetchall()
    return [Posting(*each) for each in zip(posting_ids, created, strict=True)]


def _columns(legs: Sequence[Leg]) -> list[list[Any]]:
    """Return what the database functions expect of each leg: code, currency, floor, shards, amount."""
    return [
        [leg.account.code for leg in legs],
        [leg.amount.currency for leg in legs],
        [leg.account.floor_minor for leg in legs],
        [leg.account.shards for leg in legs],
        [leg.amount.amount_minor for leg in legs],
    ]


def _check_moment(effective_at: datetime) -> None:
    if effective_at.tzinfo is None:
        raise errors.PostingInvalid("The effective time of a transaction needs a time zone.")


def _checked_legs(legs: Sequence[Leg]) -> list[Leg]:
    """Return the legs that move something.

    Refuses what the database would refuse, without a round trip and without aborting the caller's transaction.
    """
    legs = [leg for leg in legs if leg.amount.amount_minor != 0]
    totals: defaultdict[str, int] = defaultdict(int)
    for leg in legs:
        totals[leg.amount.currency] += leg.amount.amount_minor
    if len({(leg.account.code, leg.amount.currency) for leg in legs}) < len(legs):
        raise errors.PostingInvalid("An account has one leg in a transaction: add the amounts, or post twice.")
    if not 2 <= len(legs) <= _MOST_LEGS:
        raise errors.Unbalanced(f"A transaction has 2 to {_MOST_LEGS} legs that move something.")
    if any(totals.values()):
        raise errors.Unbalanced
    return legs


def _check_texts(kind: str, scope: str, key: str, description: str, details: Mapping[str, str]) -> None:
    """Refuse names that are empty or too long, and texts that the database cannot store."""
    for name, value in (("kind", kind), ("scope", scope), ("key", key)):
        if not 1 <= len(value) <= _LONGEST_NAME:
            raise errors.PostingInvalid(f"The {name} of a transaction has 1 to {_LONGEST_NAME} characters.")
    texts = [kind, scope, key, description, *details.keys(), *details.values()]
    if any(not isinstance(text, str) or len(text) > _LONGEST_TEXT or _UNSTORABLE.search(text) for text in texts):
        raise errors.PostingInvalid(f"Texts have up to {_LONGEST_TEXT} characters, without NUL or lone surrogates.")
