"""Postings in batches: the same effects, refusals and locks as one after the other, all of them or none."""

import random
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from multitask import ledger
from multitask.ledger import AccountRef, Leg, Posting, Request, checks
from tests.integration.ledger.books import BANK, FEES, NOON, SCOPE, cents, count_of, fresh_key, move, rows, usd
from tests.integration.ledger.connections import together

HELD = AccountRef("held:1")
PAYEE = AccountRef("payee:1")
ACCOUNTS = [BANK, FEES, HELD, PAYEE, AccountRef("held:2"), AccountRef("lender", floor_minor=-50)]


def request(moves: dict[AccountRef, int], key: str | None = None, **more: Any) -> Request:
    legs = [Leg(account, usd(amount)) for account, amount in moves.items()]
    named = {"kind": "moved", "scope": SCOPE, "key": key or fresh_key(), "legs": legs, "effective_at": NOON, **more}
    return Request(**named)


def post_all(requests: Sequence[Request]) -> list[Posting]:
    with transaction.atomic():
        return ledger.post_many(requests)


def one_after_the_other(requests: Sequence[Request]) -> list[Posting]:
    with transaction.atomic():
        return [
            ledger.post(
                kind=each.kind, scope=each.scope, key=each.key, legs=each.legs, effective_at=each.effective_at,
                description=each.description, details=each.details, reverses=each.reverses,
            )
            for each in requests
        ]  # fmt: skip


def effects() -> list[list[tuple[Any, ...]]]:
    """Return all that the books say, without ids and times."""
    return [
        rows("SELECT kind, scope, key, request_hash, legs, description FROM ledger_transaction ORDER BY key"),
        rows("""SELECT header.key, entry.position, account.code, entry.shard, entry.sequence, entry.currency,
                       entry.amount_minor, entry.balance_after_minor
                  FROM ledger_entry entry JOIN ledger_transaction header ON header.id = entry.transaction_id
                  JOIN ledger_account account ON account.id = entry.account_id ORDER BY 1, 2"""),
        rows("""SELECT account.code, balance.shard, debits_minor, credits_minor, balance_minor, sequence
                  FROM ledger_balance balance JOIN ledger_account account ON account.id = account_id ORDER BY 1, 2"""),
    ]  # fmt: skip


def outcome(post: Any, requests: Sequence[Request]) -> tuple[Any, Any]:
    """Post and roll back; return what it did, or which error it raised about which account."""
    with transaction.atomic():
        try:
            found: Any = [posting.created for posting in post(requests)]
        except ledger.LedgerError as error:
            found = (type(error), error.account)
        done = effects()
        transaction.set_rollback(True)
    return found, done


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(25))
def test_a_batch_does_what_its_postings_do_one_after_the_other(seed: int) -> None:
    dice = random.Random(seed)
    move(BANK, HELD, 300, "first")
    requests = []
    for _ in range(dice.randint(1, 30)):
        chosen = dice.sample(ACCOUNTS, dice.randint(2, 4))
        amounts = [dice.choice([-1, 1]) * dice.randint(1, 40) for _ in chosen[1:]]
        moves = dict(zip(chosen, [-sum(amounts), *amounts], strict=True))
        if any(moves.values()) and all(moves.values()):
            key = dice.choice([fresh_key(), fresh_key(), fresh_key(), "first", "twice"])
            requests.append(request(moves, key))
        if requests and dice.random() < 0.1:
            requests.append(dice.choice(requests))
    batch, single = outcome(post_all, requests), outcome(one_after_the_other, requests)
    if batch[0] != single[0]:
        # With several reasons to refuse, the batch may give another one: it looks at all keys before all balances.
        assert isinstance(batch[0], tuple)
        assert isinstance(single[0], tuple)
    assert batch[1] == single[1]


@pytest.mark.django_db
class TestABatch:
    def test_is_one_statement(self) -> None:
        requests = [request({BANK: -5, HELD: 5}) for _ in range(50)]
        with transaction.atomic(), CaptureQueriesContext(connection) as statements:
            ledger.post_many(requests)
        assert len(statements) == 1
        assert cents(HELD) == 250

    def test_of_nothing_asks_nothing(self) -> None:
        with transaction.atomic(), CaptureQueriesContext(connection) as statements:
            assert ledger.post_many([]) == []
        assert len(statements) == 0

    def test_spends_what_an_earlier_posting_of_it_brought(self) -> None:
        post_all([request({BANK: -5, HELD: 5}), request({HELD: -5, PAYEE: 5})])
        assert (cents(HELD), cents(PAYEE)) == (0, 5)

    def test_may_not_spend_what_a_later_posting_of_it_brings(self) -> None:
        with pytest.raises(ledger.InsufficientBalance) as refused:
            post_all([request({HELD: -5, PAYEE: 5}), request({BANK: -5, HELD: 5})])
        assert refused.value.account == "held:1"
        assert count_of("ledger_transaction") == count_of("ledger_entry") == 0

    def test_that_fails_in_one_posting_leaves_none(self) -> None:
        move(BANK, HELD, 5)
        with pytest.raises(ledger.InsufficientBalance):
            post_all([request({BANK: -7, PAYEE: 7}), request({HELD: -6, BANK: 6})])
        assert (count_of("ledger_transaction"), cents(HELD)) == (1, 5)

    def test_answers_earlier_postings_among_new_ones(self) -> None:
        first = move(BANK, HELD, 5, "first")
        new, old, again = post_all(
            [
                request({BANK: -1, HELD: 1}, "n"),
                request({BANK: -5, HELD: 5}, "first"),
                request({BANK: -1, HELD: 1}, "n"),
            ]
        )
        assert (new.created, old, again) == (True, Posting(first.id, False), Posting(new.id, False))
        assert cents(HELD) == 6

    def test_that_was_posted_already_answers_the_same_and_moves_nothing(self) -> None:
        requests = [request({BANK: -amount, HELD: amount}) for amount in (1, 2, 3)]
        first = post_all(requests)
        assert post_all(requests) == [Posting(posting.id, False) for posting in first]
        assert post_all(requests[::-1]) == [Posting(posting.id, False) for posting in first[::-1]]
        assert cents(HELD) == 6

    @pytest.mark.parametrize("earlier", [True, False])
    def test_refuses_another_request_under_a_key(self, earlier: bool) -> None:
        first = request({BANK: -5, HELD: 5}, "key")
        if earlier:
            post_all([first])
        with pytest.raises(ledger.IdempotencyConflict):
            post_all([first, request({BANK: -6, HELD: 6}, "key")])
        assert cents(HELD) == (5 if earlier else 0)

    def test_refuses_two_terms_for_one_new_account(self) -> None:
        with pytest.raises(ledger.AccountMismatch) as refused:
            post_all([request({BANK: -5, HELD: 5}), request({BANK: -5, AccountRef("held:1", None): 5})])
        assert refused.value.account == "held:1"

    def test_reverses_each_transaction_once(self) -> None:
        posted = post_all([request({BANK: -5, HELD: 5}), request({BANK: -5, HELD: 5})])
        with pytest.raises(ledger.AlreadyReversed):
            post_all([request({BANK: 5, HELD: -5}, reverses=posted[0].id) for _ in range(2)])
        post_all([request({BANK: 5, HELD: -5}, reverses=posting.id) for posting in posted])
        assert cents(HELD) == 0

    def test_is_recorded_at_one_moment_that_never_goes_back(self) -> None:
        move(BANK, HELD, 5)
        rows("SET LOCAL ledger.writer = 'ledger_post';"
             " UPDATE ledger_balance SET recorded_at = recorded_at + interval '1 hour'")  # fmt: skip
        posted = post_all([request({BANK: -1, HELD: 1}), request({AccountRef("bank:2", None): -1, PAYEE: 1})])
        moments = {entry.recorded_at for each in posted for entry in ledger.transaction(each.id).entries}
        assert len(moments) == 1
        assert moments.pop() > ledger.closed_until() + timedelta(minutes=50)

    def test_has_ids_in_the_order_of_its_postings(self) -> None:
        posted = post_all([request({BANK: -1, HELD: 1}) for _ in range(20)])
        assert [posting.id for posting in posted] == sorted(posting.id for posting in posted)

    def test_has_up_to_a_thousand_postings(self) -> None:
        requests = [request({BANK: -1, HELD: 1}) for _ in range(1001)]
        with transaction.atomic(), pytest.raises(ledger.PostingInvalid):
            ledger.post_many(requests)
        assert len(post_all(requests[:1000])) == 1000

    def test_outside_a_transaction_is_refused(self) -> None:
        with pytest.raises(ledger.NotInTransaction):
            ledger.post_many([request({BANK: -1, HELD: 1})])


@pytest.mark.django_db(transaction=True)
def test_batches_and_single_postings_in_all_orders_never_deadlock() -> None:
    """The accounts do not exist yet, so they also compete to open them; every third key is asked for twice."""
    accounts = [AccountRef(f"purse:{number}", None) for number in range(6)] + [FEES]

    def churn(seed: int) -> None:
        dice = random.Random(seed)
        for number in range(6):
            batch = []
            for place in range(8):
                one, other = dice.sample(accounts, 2)
                batch.append(request({one: -1, other: 1}, f"{seed}:{number}:{place}"))
            batch += [request({accounts[place]: -1, accounts[place + 1]: 1}, f"{number}:{place}") for place in range(4)]
            dice.shuffle(batch)
            if seed % 4:
                post_all(batch)
            else:
                for each in batch:
                    one_after_the_other([each])

    assert together([partial(churn, seed) for seed in range(12)]) == [None] * 12
    assert count_of("ledger_transaction") == 12 * 6 * 8 + 6 * 4
    assert checks.run() == []


@pytest.mark.django_db(transaction=True)
def test_of_equal_batches_at_once_one_has_the_effect() -> None:
    move(BANK, HELD, 10)
    requests = [request({HELD: -1, PAYEE: 1}) for _ in range(10)]
    answers = together([lambda: post_all(requests)] * 8)
    assert sorted({posting.created for posting in answer} == {True} for answer in answers) == [False] * 7 + [True]
    assert {tuple(posting.id for posting in answer) for answer in answers} == {tuple(p.id for p in answers[0])}
    assert (cents(HELD), cents(PAYEE)) == (0, 10)
