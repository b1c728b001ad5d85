"""The ledger is compared with a small model: any sequence of postings gives the same balances."""

from collections import Counter
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from multitask import ledger
from multitask.ledger import AccountRef, Leg, checks
from multitask.money import Money
from tests.integration.ledger.books import NOON, SCOPE, count_of, rows, settle_constraints

PLAIN = [AccountRef(f"purse:{number}") for number in range(4)]
LENT = [AccountRef("lent:1", floor_minor=-50)]
FREE = [AccountRef("bank", None), AccountRef("fees", None, shards=3), AccountRef("hot", None, shards=32)]
ACCOUNTS = [*PLAIN, *LENT, *FREE]
CURRENCIES = ["USD", "EUR"]

Balances = Counter[tuple[str, str]]
Moves = tuple[tuple[AccountRef, str, int], ...]


@st.composite
def balanced_moves(draw: st.DrawFn) -> Moves:
    """Generate legs on different accounts that sum to zero in one or two currencies."""
    moves: list[tuple[AccountRef, str, int]] = []
    for currency in draw(st.lists(st.sampled_from(CURRENCIES), min_size=1, max_size=2, unique=True)):
        accounts = draw(st.lists(st.sampled_from(ACCOUNTS), min_size=2, max_size=4, unique=True))
        amounts = draw(
            st.lists(st.integers(-60, 60).filter(bool), min_size=len(accounts) - 1, max_size=len(accounts) - 1)
        )
        amounts.append(-sum(amounts))
        moves += [(account, currency, amount) for account, amount in zip(accounts, amounts, strict=True)]
    return tuple(moves)


class Books(RuleBasedStateMachine):
    """The model: balances by account and currency, requests by key, and reversed transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.balances: Balances = Counter()
        self.opened: set[tuple[str, str]] = set()
        self.requests: dict[str, tuple[Any, UUID, Balances]] = {}
        self.reversed: set[UUID] = set()

    def teardown(self) -> None:
        """Check all invariants, then roll back."""
        try:
            settle_constraints()
            assert checks.run() == []
        finally:
            transaction.set_rollback(True)
            self.outer.__exit__(None, None, None)

    @initialize(amount=st.integers(1, 200))
    def fill_a_purse(self, amount: int) -> None:
        self.ask("first", ((FREE[0], "USD", -amount), (PLAIN[0], "USD", amount)), None)

    @rule(key=st.sampled_from("abcdefghijklmnopqrstuvwxyz"), moves=balanced_moves())
    def post(self, key: str, moves: Moves) -> None:
        self.ask(key, moves, None)

    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.requests)))
        (_, moves, reverses), _, _ = self.requests[key]
        self.ask(key, moves, reverses)

    @rule(data=st.data(), key=st.integers(100, 999))
    def reverse(self, data: st.DataObject, key: int) -> None:
        (_, moves, _), posted, _ = self.requests[data.draw(st.sampled_from(sorted(self.requests)))]
        self.ask(str(key), tuple((account, currency, -amount) for account, currency, amount in moves), posted)

    def ask(self, key: str, moves: Moves, reverses: UUID | None) -> None:
        """Post, and compare the result or the error with the model."""
        request = ("moved", tuple(move for move in moves if move[2]), reverses)
        expected = self.expected(key, request)
        headers = count_of("ledger_transaction")
        with nullcontext() if expected is ledger.Posting else pytest.raises(expected), transaction.atomic():
            posting = ledger.post(
                kind="moved",
                scope=SCOPE,
                key=key,
                legs=[Leg(account, Money(amount, currency)) for account, currency, amount in moves],
                effective_at=NOON,
                reverses=reverses,
            )
        if expected is not ledger.Posting:
            assert count_of("ledger_transaction") == headers
            return
        assert posting.created == (key not in self.requests)
        if posting.created:
            self.record(key, request, posting.id)
        assert posting.id == self.requests[key][1]

    def expected(self, key: str, request: Any) -> type[Any]:
        """Return the result or the error that the model expects."""
        _, moves, reverses = request
        if len(moves) < 2:
            return ledger.Unbalanced
        if key in self.requests:
            return ledger.Posting if self.requests[key][0] == request else ledger.IdempotencyConflict
        if reverses in self.reversed:
            return ledger.AlreadyReversed
        for account, currency, amount in moves:
            floor = account.floor_minor
            if floor is not None and self.balances[account.code, currency] + amount < floor:
                return ledger.InsufficientBalance
        return ledger.Posting

    def record(self, key: str, request: Any, posted: UUID) -> None:
        """Apply the posting to the model."""
        _, moves, reverses = request
        for account, currency, amount in moves:
            self.balances[account.code, currency] += amount
            self.opened.add((account.code, currency))
        self.requests[key] = (request, posted, self.balances.copy())
        if reverses is not None:
            self.reversed.add(reverses)

    @invariant()
    def balances_agree(self) -> None:
        found = ledger.balances([account.code for account in ACCOUNTS])
        assert found.keys() == self.opened
        assert {place: money.amount_minor for place, money in found.items()} == {
            place: self.balances[place] for place in self.opened
        }

    @rule(data=st.data())
    @precondition(lambda self: self.requests)
    def look_back(self, data: st.DataObject) -> None:
        """Compare the balances of all accounts right after one of the postings."""
        _, posted, balances = self.requests[data.draw(st.sampled_from(sorted(self.requests)))]
        for entry in ledger.transaction(posted).entries:
            after = moment_after(entry.recorded_at)
            held = ledger.balance_as_of(entry.account, entry.amount.currency, after)
            assert held.amount_minor == balances[entry.account, entry.amount.currency]


def moment_after(at: datetime) -> datetime:
    """Return the next microsecond after a time."""
    ((after,),) = rows("SELECT %s::timestamptz + interval '1 microsecond'", [at])
    return after  # type: ignore[no-any-return]


@pytest.mark.django_db
def test_any_sequence_of_postings_agrees_with_the_model() -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
