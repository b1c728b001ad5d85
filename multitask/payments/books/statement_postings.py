"""The accounts and postings of statement lines that no command of ours explains.

Every posting has a key of its own, which follows from the line and the number of the posting.
"""

from datetime import datetime
from typing import Final

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.provider import LineKind


def suspense_account(provider: str) -> AccountRef:
    """Lines of the provider's statement that nobody has explained."""
    return AccountRef(f"suspense:{provider}", floor_minor=None)


# What lines of the platform's own account are about that need no person: each moves the platform's own money.
OWN_ACCOUNTS: Final = {
    LineKind.PAYOUT.value: postings.own_bank_account,
    LineKind.PAYOUT_FAILURE.value: postings.own_bank_account,
    LineKind.PAYOUT_CANCELLED.value: postings.own_bank_account,
    LineKind.TOPUP.value: postings.own_bank_account,
    LineKind.FEE.value: postings.costs_account,
}


def account_of(account: ProviderAccount) -> AccountRef:
    """Return the ledger's account for an account at the provider."""
    if account.account_id is None:
        return postings.provider_account(account.provider)
    return postings.connected_account(account.provider, account.account_id)


def own_account(account: ProviderAccount, kind: str) -> AccountRef | None:
    """Return the account that a line of this kind belongs to by itself, or None."""
    own = OWN_ACCOUNTS.get(kind) if account.account_id is None else None
    return None if own is None else own()


def key(line_id: int, number: int) -> str:
    """Return the key of a line's posting with this number, from 1."""
    return f"statement_line:{line_id}:{number}"


def keys(line: StatementLine) -> list[str]:
    """Return the keys of all postings that were made for a line."""
    return [key(line.pk, number) for number in range(1, line.postings + 1)]


def suspend(account: ProviderAccount, line: StatementLine, amount: Money, now: datetime) -> ledger.Request:
    """Return the posting of an amount of a line to suspense, a negative one back from it.

    The caller posts it and saves the line, as with the other functions here.
    """
    line.suspense_minor += amount.amount_minor
    words = f"Statement line {line} is unexplained"
    return _request("line_suspended", account_of(account), suspense_account(account.provider), line, amount, now, words)


def settle(
    account: ProviderAccount, line: StatementLine, target: AccountRef, amount: Money, now: datetime
) -> ledger.Request:
    """Return the posting of an amount of a line to the account that its kind belongs to."""
    line.settled_minor += amount.amount_minor
    return _request("line_settled", account_of(account), target, line, amount, now, f"Statement line {line}")


def explain(account: ProviderAccount, line: StatementLine, target: AccountRef, now: datetime) -> ledger.Request:
    """Return the posting of what a line has in suspense to the account that explains it."""
    amount, suspense = Money(line.suspense_minor, line.currency), suspense_account(account.provider)
    line.suspense_minor, line.settled_minor = 0, line.settled_minor + amount.amount_minor
    return _request("line_explained", suspense, target, line, amount, now, f"Statement line {line} explained")


def _request(
    kind: str,
    source: AccountRef,
    target: AccountRef,
    line: StatementLine,
    amount: Money,
    now: datetime,
    description: str,
) -> ledger.Request:
    line.postings += 1
    return ledger.Request(
        kind=kind,
        scope=postings.SCOPE,
        key=key(line.pk, line.postings),
        legs=[Leg(source, -amount), Leg(target, amount)],
        effective_at=now,
        description=description,
    )
