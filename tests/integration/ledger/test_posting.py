"""Posting: what it moves, what it refuses, and what a repeated request does."""

import dataclasses
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import MAX_MINOR, Money
from tests.integration.ledger.books import (
    BANK,
    FEES,
    HOT_BANK,
    NOON,
    cents,
    count_of,
    fresh_key,
    move,
    post,
    rows,
    usd,
    write,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("writer")]

ESCROW = AccountRef("held:1")
FREELANCER = AccountRef("payee:1")


def test_a_released_escrow_is_split_between_freelancer_and_platform() -> None:
    move(HOT_BANK, ESCROW, 10_000)
    post({ESCROW: usd(-10_000), FREELANCER: usd(8_500), FEES: usd(1_500)}, kind="escrow_released")
    assert (cents(ESCROW), cents(FREELANCER), cents(FEES), cents(HOT_BANK)) == (0, 8_500, 1_500, -10_000)
    assert ledger.turnover("held:1", "USD") == (usd(10_000), usd(10_000))
    assert ledger.turnover("fees", "USD") == (usd(0), usd(1_500))


def test_one_posting_is_one_statement() -> None:
    move(BANK, ESCROW, 500)
    with transaction.atomic(), CaptureQueriesContext(connection) as statements:
        legs = [Leg(ESCROW, usd(-500)), Leg(FREELANCER, usd(425)), Leg(FEES, usd(75))]
        write(kind="released", scope="test", key=fresh_key(), legs=legs, effective_at=NOON)
    assert len(statements) == 1


def test_the_header_keeps_what_was_said() -> None:
    posting = move(BANK, ESCROW, 500, "k1", description="Für 5 €", details={"by": "Zoë"}, kind="funded")
    found = ledger.transaction(posting.id)
    assert (found.kind, found.scope, found.key, found.effective_at) == ("funded", "test", "k1", NOON)
    assert (found.description, found.details, found.reverses) == ("Für 5 €", {"by": "Zoë"}, None)
    assert [(leg.account, leg.amount, leg.balance_after) for leg in found.entries] == [
        ("bank", usd(-500), usd(-500)),
        ("held:1", usd(500), usd(500)),
    ]
    assert posting.id.version == 7


def test_two_currencies_balance_each_on_its_own() -> None:
    euro = Money(700, "EUR")
    legs = [Leg(BANK, usd(-800)), Leg(ESCROW, usd(800)), Leg(BANK, -euro), Leg(ESCROW, euro)]
    with transaction.atomic():
        write(kind="funded", scope="test", key="two", legs=legs, effective_at=NOON)
    assert ledger.balances(["held:1", "nobody"]) == {("held:1", "USD"): usd(800), ("held:1", "EUR"): euro}


def test_a_leg_of_nothing_is_left_out() -> None:
    posting = post({BANK: usd(-3), FREELANCER: usd(3), FEES: usd(0)})
    assert [leg.account for leg in ledger.transaction(posting.id).entries] == ["bank", "payee:1"]
    assert ledger.balances(["fees"]) == {}


def test_a_negative_floor_lends_so_much_and_no_more() -> None:
    lender = AccountRef("lender:1", floor_minor=-100)
    move(lender, BANK, 100)
    with pytest.raises(ledger.InsufficientBalance):
        move(lender, BANK, 1)
    assert cents(lender) == -100


def test_a_debit_below_the_floor_names_the_account_and_leaves_nothing() -> None:
    move(BANK, ESCROW, 99)
    before = [count_of(table) for table in ("ledger_transaction", "ledger_entry", "ledger_account")]
    with pytest.raises(ledger.InsufficientBalance) as refused:
        move(ESCROW, AccountRef("payee:2"), 100)
    assert (refused.value.code, refused.value.account) == ("insufficient_funds", "held:1")
    assert [count_of(table) for table in ("ledger_transaction", "ledger_entry", "ledger_account")] == before


@pytest.mark.parametrize("ahead", ["0 seconds", "1 hour"])
def test_of_two_debits_the_one_that_is_short_is_named(ahead: str) -> None:
    """Also if the other account could not pay twice, and if a clock was ahead before."""
    move(BANK, ESCROW, 10)
    move(BANK, AccountRef("held:2"), 3)
    rows(f"SET LOCAL ledger.writer = 'ledger_post'; UPDATE ledger_balance SET recorded_at = recorded_at + '{ahead}'")
    for short, other in ((AccountRef("held:2"), ESCROW), (ESCROW, AccountRef("held:2"))):
        enough, too_much = usd(-cents(other)), usd(-cents(short) - 1)
        with pytest.raises(ledger.InsufficientBalance) as refused:
            post({other: enough, short: too_much, BANK: usd(-enough.amount_minor - too_much.amount_minor)})
        assert refused.value.account == short.code
    post({ESCROW: usd(-10), AccountRef("held:2"): usd(-3), BANK: usd(13)})
    assert (cents(ESCROW), cents(AccountRef("held:2"))) == (0, 0)


def test_entries_in_two_currencies_that_got_a_later_moment_are_each_of_their_own() -> None:
    euros = {account: Money(amount, "EUR") for account, amount in ((BANK, -9), (ESCROW, 9))}
    for ahead in ("0 seconds", "1 hour"):
        rows(
            f"SET LOCAL ledger.writer = 'ledger_post'; UPDATE ledger_balance SET recorded_at = recorded_at + '{ahead}'"
        )
        legs = [Leg(BANK, usd(-5)), *(Leg(*leg) for leg in euros.items()), Leg(ESCROW, usd(5))]
        with transaction.atomic():
            write(kind="m", scope="test", key=fresh_key(), legs=legs, effective_at=NOON)
    assert rows("SELECT position, currency, count(*) FROM ledger_entry GROUP BY 1, 2 ORDER BY 1") == [
        (1, "USD", 2), (2, "EUR", 2), (3, "EUR", 2), (4, "USD", 2)]  # fmt: skip


def test_a_posting_takes_the_latest_moment_of_its_own_balances_and_of_no_other() -> None:
    """A clock was ahead before: for held:1 by one hour, for held:2 by two."""
    others = AccountRef("held:2")
    move(BANK, ESCROW, 1)
    move(BANK, others, 1)
    ahead = """
        SET LOCAL ledger.writer = 'ledger_post';
        UPDATE ledger_balance balance SET recorded_at = recorded_at + right(code, 1)::int * interval '1 hour'
          FROM ledger_account account WHERE account.id = balance.account_id AND code LIKE 'held:%'"""
    rows(ahead)
    for target, hours in ((ESCROW, 1), (others, 2)):
        posting = move(BANK, target, 1)
        late = "SELECT extract(hour FROM created_at - now()) FROM ledger_entry WHERE transaction_id = %s"
        assert rows(late, [posting.id]) == [(hours,), (hours,)]


def test_an_account_that_nothing_was_posted_to_is_named_too() -> None:
    with pytest.raises(ledger.InsufficientBalance) as refused:
        move(AccountRef("payee:2"), BANK, 1)
    assert refused.value.account == "payee:2"


def test_asked_twice_it_answers_the_first_posting() -> None:
    first = move(BANK, ESCROW, 500, "same", description="first words", details={"try": "1"})
    again = move(
        BANK,
        ESCROW,
        500,
        "same",
        description="other words",
        details={"try": "2"},
        effective_at=datetime.now(NOON.tzinfo),
    )
    assert (first.created, again.created, again.id) == (True, False, first.id)
    assert cents(ESCROW) == 500


def test_asked_again_for_all_that_an_account_held_it_answers_the_first_posting() -> None:
    move(BANK, ESCROW, 500)
    first = move(ESCROW, FREELANCER, 500, "all")
    assert move(ESCROW, FREELANCER, 500, "all") == ledger.Posting(first.id, False)


def test_a_key_is_for_one_request_in_its_scope() -> None:
    move(BANK, ESCROW, 500, "key")
    reversed_one = move(BANK, ESCROW, 1)
    others: list[Callable[[], ledger.Posting]] = [
        lambda: move(BANK, ESCROW, 501, "key"),
        lambda: move(BANK, FREELANCER, 500, "key"),
        lambda: move(BANK, ESCROW, 500, "key", kind="other"),
        lambda: move(BANK, ESCROW, 500, "key", reverses=reversed_one.id),
        lambda: post({BANK: Money(-500, "EUR"), ESCROW: Money(500, "EUR")}, "key"),
    ]
    for other in others:
        with pytest.raises(ledger.IdempotencyConflict) as refused:
            other()
        assert refused.value.code == "idempotency_conflict"
    assert move(BANK, ESCROW, 500, "key", scope="another").created


def test_a_transaction_is_reversed_once() -> None:
    posted = move(BANK, ESCROW, 500)
    reversal = move(ESCROW, BANK, 500, reverses=posted.id)
    assert ledger.transaction(reversal.id).reverses == posted.id
    move(BANK, ESCROW, 500)
    with pytest.raises(ledger.AlreadyReversed):
        move(ESCROW, BANK, 500, reverses=posted.id)


def test_a_reversal_needs_a_transaction() -> None:
    with pytest.raises(ledger.UnknownReversal):
        move(BANK, ESCROW, 500, reverses=uuid.uuid4())


@pytest.mark.parametrize(
    "terms",
    [AccountRef("held:1", None), AccountRef("held:1", -5), AccountRef("held:1", None, shards=4)],
)
def test_an_account_keeps_the_terms_it_was_opened_with(terms: AccountRef) -> None:
    move(BANK, ESCROW, 500)
    with pytest.raises(ledger.AccountMismatch) as refused:
        move(BANK, terms, 500)
    assert refused.value.account == "held:1"


def test_a_sharded_account_does_not_become_a_plain_one() -> None:
    move(BANK, FEES, 5)
    with pytest.raises(ledger.AccountMismatch):
        move(BANK, AccountRef("fees", None), 5)


def test_new_and_known_accounts_with_other_terms_are_told_apart() -> None:
    move(BANK, ESCROW, 500)
    with pytest.raises(ledger.AccountMismatch) as refused:
        post({AccountRef("held:1", None): usd(-1), AccountRef("brand:new"): usd(1)})
    assert refused.value.account == "held:1"


def test_a_posting_outside_a_transaction_is_refused() -> None:
    legs = [Leg(BANK, usd(-1)), Leg(ESCROW, usd(1))]
    with pytest.raises(ledger.NotInTransaction):
        write(kind="moved", scope="test", key="k", legs=legs, effective_at=NOON)


@pytest.mark.parametrize(
    ("moves", "refusal"),
    [
        ({}, ledger.Unbalanced),
        ({BANK: usd(0), ESCROW: usd(0)}, ledger.Unbalanced),
        ({BANK: usd(5)}, ledger.Unbalanced),
        ({BANK: usd(-5), ESCROW: usd(4)}, ledger.Unbalanced),
        ({BANK: usd(-5), ESCROW: Money(5, "EUR")}, ledger.Unbalanced),
        ({AccountRef(f"payee:{n}"): usd(1 if n else -1000) for n in range(1001)}, ledger.Unbalanced),
    ],
)
def test_legs_that_do_not_balance_are_refused(moves: dict[AccountRef, Money], refusal: type[Exception]) -> None:
    legs = [Leg(account, amount) for account, amount in moves.items()]
    with transaction.atomic(), CaptureQueriesContext(connection) as asked, pytest.raises(refusal):
        write(kind="moved", scope="test", key="k", legs=legs, effective_at=NOON)
    assert len(asked) == 0, "it costs neither a statement nor the caller's transaction"
    assert count_of("ledger_transaction") == 0


def test_an_account_has_one_leg() -> None:
    legs = [Leg(BANK, usd(-5)), Leg(ESCROW, usd(3)), Leg(ESCROW, usd(2))]
    with transaction.atomic(), pytest.raises(ledger.PostingInvalid):
        write(kind="moved", scope="test", key="k", legs=legs, effective_at=NOON)


def test_a_thousand_legs_balance() -> None:
    payees = {AccountRef(f"payee:{n}"): usd(1) for n in range(999)}
    posting = post({BANK: usd(-999), **payees})
    assert len(ledger.transaction(posting.id).entries) == 1000


@pytest.mark.parametrize("text", ["with\x00nul", "half \ud800", "x" * 2001])
@pytest.mark.parametrize("place", ["description", "kind", "key", "scope", "name", "value"])
def test_text_that_cannot_be_stored_is_refused(place: str, text: str) -> None:
    more: dict[str, Any] = {place: text}
    if place == "name":
        more = {"details": {text: "x"}}
    elif place == "value":
        more = {"details": {"x": text}}
    with pytest.raises(ledger.PostingInvalid) as refused:
        move(BANK, ESCROW, 1, **more)
    assert refused.value.code == "posting_invalid"


@pytest.mark.parametrize("place", ["kind", "key", "scope"])
def test_a_posting_has_a_kind_a_scope_and_a_key(place: str) -> None:
    legs = [Leg(BANK, usd(-1)), Leg(ESCROW, usd(1))]
    names = {"kind": "k", "scope": "s", "key": "k", place: ""}
    with transaction.atomic(), pytest.raises(ledger.PostingInvalid):
        write(**names, legs=legs, effective_at=NOON)


def test_names_may_be_255_characters_long() -> None:
    posting = move(BANK, ESCROW, 1, key="k" * 255, kind="m" * 255, scope="s" * 255)
    assert ledger.transaction(posting.id).key == "k" * 255


@pytest.mark.parametrize("place", ["kind", "key", "scope"])
def test_names_may_not_be_longer(place: str) -> None:
    with pytest.raises(ledger.PostingInvalid, match=f"The {place} of a transaction has 1 to 255 characters"):
        move(BANK, ESCROW, 1, **{place: "n" * 256})


def test_texts_may_be_2000_characters_long() -> None:
    posting = move(BANK, ESCROW, 1, description="d" * 2000, details={"x": "v" * 2000})
    assert ledger.transaction(posting.id).details == {"x": "v" * 2000}


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ledger.PostingInvalid):
        move(BANK, ESCROW, 1, effective_at=datetime(2026, 5, 4))  # noqa: DTZ001


@pytest.mark.parametrize(
    "terms",
    [
        {"code": ""},
        {"code": "a" * 201},
        {"code": "user 1"},
        {"code": "usér"},
        {"code": "user\n"},
        {"code": 7},
        {"code": "a", "floor_minor": 1},
        {"code": "a", "floor_minor": True},
        {"code": "a", "floor_minor": 0.0},
        {"code": "a", "shards": 0},
        {"code": "a", "shards": 257, "floor_minor": None},
        {"code": "a", "shards": True},
        {"code": "a", "shards": 2},
    ],
)
def test_accounts_of_impossible_terms_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ledger.PostingInvalid):
        AccountRef(**terms)  # type: ignore[arg-type]


def test_an_account_may_have_256_shards() -> None:
    spread = AccountRef("spread", floor_minor=None, shards=256)
    move(BANK, spread, 5)
    assert cents(spread) == 5


def test_what_was_posted_or_is_to_be_cannot_be_changed() -> None:
    leg, posting = Leg(BANK, usd(-1)), move(BANK, ESCROW, 1)
    recorded = ledger.transaction(posting.id)
    statement = ledger.statement("held:1", "USD", NOON, NOON)
    for kept in (BANK, leg, posting, recorded, recorded.entries[0], statement, ledger.trial_balance()[0]):
        name = dataclasses.fields(kept)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(kept, name, getattr(kept, name))


def test_a_balance_stays_within_what_can_be_kept() -> None:
    move(BANK, ESCROW, MAX_MINOR)
    assert cents(ESCROW) == MAX_MINOR
    with pytest.raises(ledger.OutOfRange) as refused:
        move(BANK, ESCROW, 1)
    assert refused.value.code == "balance_out_of_range"


def test_a_posting_waits_for_a_lock_no_longer_than_it_is_told() -> None:
    """The function does not change the lock_timeout of the caller."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1234ms'")
        write(kind="m", scope="test", key="k", legs=[Leg(BANK, usd(-1)), Leg(ESCROW, usd(1))], effective_at=NOON)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("1234ms",)
