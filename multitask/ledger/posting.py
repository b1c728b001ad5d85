"""`post`, the only function that writes to the ledger."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from multitask.database import in_transaction
from multitask.ledger import errors
from multitask.money import Money

_CODE: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,200}", re.ASCII)
# PostgreSQL cannot store NUL and lone surrogates.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 2000
_MOST_LEGS: Final = 1000
_MOST_SHARDS: Final = 256

# The two results are read as one composite value, whose parts are strings. SELECT * FROM ledger_post(...) would be
# slower, since PostgreSQL would first store the row in a tuplestore.
_POST_SQL: Final = """
SELECT ledger_post(%s, %s, %s, %s, %s, %s::jsonb, %s,
                   %s::text[], %s::text[], %s::bigint[], %s::smallint[], %s::bigint[])
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


@dataclass(frozen=True, slots=True)
class Posting:
    """The result of `post`: the id of the transaction, and whether this call or an earlier one created it."""

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
    if not in_transaction():
        raise errors.NotInTransaction
    moving = [leg for leg in legs if leg.amount.amount_minor != 0]
    _check_legs(moving)
    _check_texts(kind, scope, key, description, details or {})
    if effective_at.tzinfo is None:
        raise errors.PostingInvalid("The effective time of a transaction needs a time zone.")
    parameters: list[Any] = [
        kind,
        scope,
        key,
        effective_at,
        description,
        json.dumps(dict(details or {})),
        reverses,
        [leg.account.code for leg in moving],
        [leg.amount.currency for leg in moving],
        [leg.account.floor_minor for leg in moving],
        [leg.account.shards for leg in moving],
        [leg.amount.amount_minor for leg in moving],
    ]
    with errors.translated(), connection.cursor() as cursor:
        cursor.execute(_POST_SQL, parameters)
        ((posting_id, created),) = cursor.fetchone()
    return Posting(UUID(posting_id), created == "t")


def _check_legs(legs: Sequence[Leg]) -> None:
    """Refuse what the database would refuse, without a round trip and without aborting the caller's transaction."""
    totals: defaultdict[str, int] = defaultdict(int)
    for leg in legs:
        totals[leg.amount.currency] += leg.amount.amount_minor
    if len({(leg.account.code, leg.amount.currency) for leg in legs}) < len(legs):
        raise errors.PostingInvalid("An account has one leg in a transaction: add the amounts, or post twice.")
    if not 2 <= len(legs) <= _MOST_LEGS:
        raise errors.Unbalanced(f"A transaction has 2 to {_MOST_LEGS} legs that move something.")
    if any(totals.values()):
        raise errors.Unbalanced


def _check_texts(kind: str, scope: str, key: str, description: str, details: Mapping[str, str]) -> None:
    """Refuse names that are empty or too long, and texts that the database cannot store."""
    for name, value in (("kind", kind), ("scope", scope), ("key", key)):
        if not 1 <= len(value) <= _LONGEST_NAME:
            raise errors.PostingInvalid(f"The {name} of a transaction has 1 to {_LONGEST_NAME} characters.")
    texts = [kind, scope, key, description, *details.keys(), *details.values()]
    if any(not isinstance(text, str) or len(text) > _LONGEST_TEXT or _UNSTORABLE.search(text) for text in texts):
        raise errors.PostingInvalid(f"Texts have up to {_LONGEST_TEXT} characters, without NUL or lone surrogates.")
