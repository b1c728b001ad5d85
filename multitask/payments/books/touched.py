"""The invariants of the payments for what was posted since: the same queries, narrowed to the objects that it names.

`among` marks in a query where it can be narrowed. As it stands, the mark is true and the query reads everything.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

# What an account or a posting is about, by the first part of the account's code or of the posting's key.
_SUBJECTS: Final = {
    "escrow": "escrow",
    "contested": "escrow",
    "refund": "refund",
    "payment": "payment",
    "unapplied": "payment",
    "chargeback": "chargeback",
    "withdrawal": "withdrawal",
    "user": "user",
}
_NAME: Final = re.compile(r"([a-z]+):([0-9]{1,18})(?::.*)?", re.DOTALL)
_SUSPENSE: Final = re.compile(r"suspense:[a-z0-9_]+")
_USER_ACCOUNTS: Final = ("pending", "available", "withdrawing", "paid_ahead", "receivable")
PARTY: Final = "party"
_MARK: Final = re.compile(r"/\*(\w+): ([^*]+)\*/ true")

Ids = Mapping[str, frozenset[str]]


def among(subject: str, column: str) -> str:
    """Return a condition that is true, and that `narrowed` replaces: the column is among those touched.

    A subject is one of the values of `_SUBJECTS`, a `code` of an account, or a `party`:
    a user, or either side of an escrow.
    """
    return f"/*{subject}: {column}*/ true"


def ids(names: frozenset[str]) -> Ids:
    """Return what the names of accounts and postings are about: ids by subject, and codes of accounts."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        match = _NAME.fullmatch(name)
        if match and match[1] in _SUBJECTS:
            found[_SUBJECTS[match[1]]].add(str(int(match[2])))
        if _SUSPENSE.fullmatch(name):
            found["code"].add(name)
    found["code"] |= {f"user:{user_id}:{account}" for user_id in found["user"] for account in _USER_ACCOUNTS}
    return {subject: frozenset(each) for subject, each in found.items()}


def is_narrow(sql: str) -> bool:
    """Return whether the query can be narrowed."""
    return _MARK.search(sql) is not None


def narrowed(sql: str, touched: Ids) -> str | None:
    """Return the query for what was touched, None if nothing that it is about was."""
    subjects = {subject for subject, _ in _MARK.findall(sql)}
    if PARTY in subjects:
        subjects |= {"user", "escrow"}
    if not any(touched.get(subject) for subject in subjects):
        return None
    return _MARK.sub(lambda mark: _condition(mark[1], mark[2], touched), sql)


def _condition(subject: str, column: str, touched: Ids) -> str:
    if subject == PARTY:
        escrows = _among("id", touched, "escrow")
        sides = f"SELECT unnest(ARRAY[client_id, freelancer_id]) FROM payments_escrow WHERE {escrows}"  # noqa: S608
        return f"({_among(column, touched, 'user')} OR {column} = ANY (ARRAY({sides})))"
    return _among(column, touched, subject)


def _among(column: str, touched: Ids, subject: str) -> str:
    # The values are digits or codes without quotes, by the patterns above.
    values = ",".join(sorted(touched.get(subject, ())))
    return f"{column} = ANY ('{{{values}}}'::{'text' if subject == 'code' else 'bigint'}[])"
