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
# What was taken out of the books of accounts whose reversals finance gave up: it still lies there.
_GIVEN_UP = """
SELECT account.code, account.currency, -sum(entry.amount_minor)::bigint
  FROM ledger_transaction header
  JOIN ledger_entry entry ON entry.transaction_id = header.id
  JOIN ledger_account account ON account.id = entry.account_id AND account.code ^@ 'provider:stripe:account:'
 WHERE header.kind IN ('reversal_given_up', 'reversal_taken_up')
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
# Operations, and the kind of object that each makes.
MAKES = {
    "create_account": "account",
    "create_customer": "customer",
    "create_payment": "payment_intent",
    "create_transfer": "transfer",
    "transfer_adjustment": "transfer",
    "create_reversal": "transfer_reversal",
    "create_refund": "refund",
    "create_payout": "payout",
}
# What was made at the provider without us carries no reference: our number for it, by the provider's id.
_OUTSIDE = {
    "refund": "SELECT provider_refund_id, id FROM payments_refund WHERE is_outside",
    "payout": "SELECT provider_payout_id, id FROM payments_withdrawal WHERE is_outside",
    "transfer_reversal": "SELECT provider_reversal_id, id FROM payments_reversal WHERE is_outside",
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
    given_up = {(code, currency): minor for code, currency, minor in system.query(_GIVEN_UP)}
    for number, provider_id in _accounts(system).items():
        theirs, code = _held(money, provider_id), f"provider:stripe:account:{number}"
        booked = Counter(_owed(ours, code))
        booked.update(_owed(given_up, code))
        yield from _compare(f"account {provider_id}", dict(booked), theirs)
    yield from _compare(
        "the platform's balance", _owed(ours, "provider:stripe:balance"), _held(money, money["platform"])
    )
    costs = _owed(ours, "platform:processing_costs")
    yield from _compare("the provider's fees", costs, money["stripe"].get("fees", {}))
    fees = _owed(ours, "platform:dispute_fees")
    yield from _compare("the fees of chargebacks", fees, money["stripe"].get("dispute_fees", {}))


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
        {_number(charge["metadata"]): charge["settled"] for charge in money["charges"]},
    )
    yield "refund", _refunded(system), _settled_refunds(system)
    yield "transfer", _moved(system, ["transfer"]), _made(system, "create_transfer")
    yield "adjustment", _moved(system, ["adjustment_transferred"]), _made(system, "transfer_adjustment")
    yield "reversal", _moved(system, ["transfer_reversed"]), _made(system, "create_reversal")
    paid = _moved(system, ["withdrawal_paid"], back=["withdrawal_returned"])
    yield "payout", paid, _made(system, "create_payout", only="paid", besides=money["platform"])
    yield "chargeback", *_chargebacks(system)
    deposited: Counter[str] = Counter()
    for owner, number, minor in _withdrawals(system):
        deposited[owner] += minor if paid.get(str(number)) else 0
    deposits = {owner: sums for owner, sums in money["bank_deposits"].items() if owner != money["platform"]}
    theirs = {owner: sum(sums.values()) for owner, sums in deposits.items()}
    yield "bank deposits of", +deposited, theirs


def _refunded(system: Both) -> Sums:
    """What each refund took from the platform's balance and did not bring back, by our own number for it."""
    rows = system.query(
        """
        SELECT split_part(header.key, ':', 2), sum(entry.amount_minor)::bigint
          FROM ledger_transaction header
          JOIN ledger_entry entry ON entry.transaction_id = header.id
          JOIN ledger_account account ON account.id = entry.account_id AND account.code = 'provider:stripe:balance'
         WHERE header.kind IN ('refund_paid', 'refund_returned')
         GROUP BY 1
        """
    )
    return {number: minor for number, minor in rows if minor}


def _settled_refunds(system: Both) -> Sums:
    """What the lines of each refund moved, whose currency may be another one than the refund's."""
    lines = {row["object"]["id"]: row["object"] for row in system.sandbox.objects("balance_transaction")}
    outside = {ident: str(number) for ident, number in system.query(_OUTSIDE["refund"])}
    made: Counter[str] = Counter()
    for row in system.sandbox.objects("refund"):
        found = row["object"]
        if found.get("source_transfer_reversal"):
            continue  # The other side of a reversal, in the connected account.
        moved = [found["balance_transaction"], found["failure_balance_transaction"]]
        minor = -sum(lines[line]["amount"] for line in moved if line)
        # One that waits for the bank has left the balance; here it is paid once it has succeeded. One that was made
        # without us and failed before we knew of it is not recorded; finance explains what its lines moved.
        is_known = found["metadata"].get("reference") or found["id"] in outside or found["status"] == "succeeded"
        if minor and is_known and found["status"] != "pending":
            made[outside.get(found["id"]) or _number(found["metadata"])] += minor
    return dict(made)


def _chargebacks(system: Both) -> tuple[Sums, Sums]:
    """What each chargeback has taken and not given back, here by its postings, in the currency of its movements."""
    ours = dict(
        system.query(
            """
            SELECT chargeback.provider_dispute_id, -sum(entry.amount_minor)::bigint
              FROM payments_chargeback chargeback
              JOIN ledger_transaction header ON header.key ^@ ('chargeback:' || chargeback.id || ':')
               AND header.kind IN ('chargeback_withdrawn', 'chargeback_reinstated')
              JOIN ledger_entry entry ON entry.transaction_id = header.id
              JOIN ledger_account account ON account.id = entry.account_id
               AND account.code = 'chargeback:' || chargeback.id
             GROUP BY 1
            """
        )
    )
    theirs = {
        row["object"]["id"]: -sum(line["amount"] for line in row["object"]["balance_transactions"])
        for row in system.sandbox.objects("dispute")
    }
    return ours, theirs


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


def _made(system: Both, operation: str, *, only: str = "", besides: str = "") -> Sums:
    """Return what the objects of an operation moved, and what was made at the provider without one.

    What was made without one in the account `besides` is left out.
    """
    made: Counter[str] = Counter()
    kind = MAKES[operation]
    outside = {ident: str(number) for ident, number in system.query(_OUTSIDE[kind])} if kind in _OUTSIDE else {}
    corrections = _corrections(system) if kind == "transfer_reversal" else ()
    for row in system.sandbox.objects(kind):
        found = row["object"]
        if found.get("source_transfer_reversal"):
            continue  # The other side of a reversal, in the connected account.
        reference = found["metadata"].get("reference", "")
        is_ours = reference or (row["account"] != besides and found.get("transfer") not in corrections)
        is_wanted = reference.startswith(f"{operation}:") or (not reference and is_ours)
        if is_wanted and (not only or found["status"] == only):
            made[outside.get(found["id"]) or _number(found["metadata"])] += found["amount"]
    return dict(made)


def _corrections(system: Both) -> set[str]:
    """The transfers of adjustments. A reversal of one that we did not make is an open line, which staff explains."""
    made = (row["object"] for row in system.sandbox.objects("transfer"))
    return {found["id"] for found in made if found["metadata"].get("reference", "").startswith("transfer_adjustment:")}


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
    for operation, kind in MAKES.items():
        references = [row["object"]["metadata"].get("reference", "") for row in system.sandbox.objects(kind)]
        made = Counter(reference for reference in references if reference.startswith(f"{operation}:"))
        yield from (f"{kind} {reference} was made {count} times" for reference, count in made.items() if count > 1)
        claimed = {reference for name, reference in succeeded if name == operation}
        yield from (f"{reference} succeeded without an effect" for reference in claimed - made.keys())
        yield from (f"{reference} had an effect that is not known here" for reference in made.keys() - claimed)
