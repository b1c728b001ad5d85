"""Compares the ledger with the sandbox's record of the money, object by object."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

Sums = dict[str, int]

_BALANCES = """
SELECT account.code, account.currency, sum(balance.balance_minor)::bigint
  FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
 GROUP BY account.id
"""
# What each kind of posting moved, by the key of its event; `sign` undoes what a later posting took back.
_MOVED = """
SELECT split_part(key, ':', 2), sum(moved)::bigint
  FROM (SELECT header.key, (SELECT sum(entry.amount_minor) FROM ledger_entry entry
                             WHERE entry.transaction_id = header.id AND entry.amount_minor > 0)
                           * CASE WHEN header.kind = ANY (%s) THEN -1 ELSE 1 END AS moved
          FROM ledger_transaction header WHERE header.kind = ANY (%s) OR header.kind = ANY (%s)) postings
 GROUP BY 1
"""
# The kinds of object that an operation makes, and the operation.
MADE_BY = {
    "account": "create_account",
    "customer": "create_customer",
    "payment_intent": "create_payment",
    "transfer": "create_transfer",
    "refund": "create_refund",
    "payout": "create_payout",
}


class Record(Protocol):
    """The sandbox's record, over the wire or in the process."""

    def money(self) -> dict[str, Any]:
        """Balances, cards, bank deposits, fees and sums."""

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind with its account."""


class Both(Protocol):
    """Our database and the provider's record."""

    @property
    def sandbox(self) -> Record:
        """The provider's record."""

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask our database."""


def differences(system: Both) -> list[str]:
    """Everything in which our books and the provider's are not the same."""
    money = system.sandbox.money()
    found = [f"the sandbox's own sums are {money['sums']}"] if any(money["sums"].values()) else []
    found += _balances(system, money)
    for what, ours, theirs in _objects(system, money):
        found += [
            f"{what} {name}: {ours.get(name, 0)} here, {theirs.get(name, 0)} there"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name, 0) != theirs.get(name, 0)
        ]
    return found + list(_repeated(system))


def _balances(system: Both, money: dict[str, Any]) -> Iterable[str]:
    """The platform's balance, each connected account's, and the fees: an asset here is negative."""
    ours = {(code, currency): minor for code, currency, minor in system.query(_BALANCES)}
    for number, provider_id in _accounts(system).items():
        theirs = _held(money, provider_id)
        yield from _compare(f"account {provider_id}", _owed(ours, f"provider:stripe:account:{number}"), theirs)
    yield from _compare(
        "the platform's balance", _owed(ours, "provider:stripe:balance"), _held(money, money["platform"])
    )
    costs = _owed(ours, "platform:processing_costs")
    yield from _compare("the provider's fees", costs, money["stripe"].get("fees", {}))


def _compare(what: str, ours: Sums, theirs: Sums) -> Iterable[str]:
    for currency in ours.keys() | theirs.keys():
        if ours.get(currency, 0) != theirs.get(currency, 0):
            yield f"{what}: {ours.get(currency, 0)} {currency} here, {theirs.get(currency, 0)} there"


def _owed(ours: dict[tuple[str, str], int], code: str) -> Sums:
    return {currency.lower(): -minor for (name, currency), minor in ours.items() if name == code}


def _held(money: dict[str, Any], account: str) -> Sums:
    columns = money["accounts"].get(account, {})
    held: Counter[str] = Counter(columns.get("available", {}))
    held.update(columns.get("pending", {}))
    return dict(held)


def _accounts(system: Both) -> dict[int, str]:
    return dict(
        system.query("SELECT id, provider_account_id FROM payments_connectedaccount WHERE provider_account_id <> ''")
    )


def _objects(system: Both, money: dict[str, Any]) -> Iterable[tuple[str, Sums, Sums]]:
    """Each charge, refund, transfer and payout, by our own number for it."""
    yield (
        "payment",
        _moved(system, ["escrow_funded", "payment_unapplied"]),
        {_number(charge["metadata"]): charge["captured"] for charge in money["charges"]},
    )
    yield (
        "refund",
        _moved(system, ["refund_paid"], back=["refund_returned"]),
        _made(system, "refund", only="succeeded"),
    )
    yield "transfer", _moved(system, ["transfer"]), _made(system, "transfer")
    paid = _moved(system, ["withdrawal_paid"], back=["withdrawal_returned"])
    yield "payout", paid, _made(system, "payout", only="paid")
    deposited: Counter[str] = Counter()
    for owner, number, minor in _withdrawals(system):
        deposited[owner] += minor if paid.get(str(number)) else 0
    theirs = {owner: sum(sums.values()) for owner, sums in money["bank_deposits"].items()}
    yield "bank deposits of", +deposited, theirs


def _withdrawals(system: Both) -> list[tuple[Any, ...]]:
    return system.query(
        """
        SELECT account.provider_account_id, withdrawal.id, withdrawal.amount_minor
          FROM payments_withdrawal withdrawal JOIN payments_connectedaccount account
            ON account.id = withdrawal.account_id
        """
    )


def _moved(system: Both, kinds: list[str], *, back: list[str] | None = None) -> Sums:
    rows = system.query(_MOVED, back or [], kinds, back or [])
    return {number: minor for number, minor in rows if minor}


def _made(system: Both, kind: str, *, only: str = "") -> Sums:
    made: Counter[str] = Counter()
    for row in system.sandbox.objects(kind):
        if not only or row["object"]["status"] == only:
            made[_number(row["object"]["metadata"])] += row["object"]["amount"]
    return dict(made)


def _number(metadata: dict[str, str]) -> str:
    """Our own number in the reference that we left at the provider."""
    return metadata.get("reference", ":unknown:").split(":")[1]


def _repeated(system: Both) -> Iterable[str]:
    """Effects that an operation had more than once, and operations that claim a success without an effect."""
    succeeded = {
        (kind, f"{kind}:{subject}:{sequence}")
        for kind, subject, sequence in system.query(
            "SELECT kind, subject_id, sequence FROM payments_operation WHERE state = 'succeeded'"
        )
    }
    for kind, operation in MADE_BY.items():
        made = Counter(row["object"]["metadata"].get("reference", "") for row in system.sandbox.objects(kind))
        made.pop("", None)
        yield from (f"{kind} {reference} was made {count} times" for reference, count in made.items() if count > 1)
        claimed = {reference for name, reference in succeeded if name == operation}
        yield from (f"{reference} succeeded without an effect" for reference in claimed - made.keys())
        yield from (f"{reference} had an effect that is not known here" for reference in made.keys() - claimed)
