"""Signed statements: one per day, in order, never changed; what a superuser rewrites is found."""

import json
import re
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import Error, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from multitask import jobs, ledger
from multitask.ledger import AccountRef, Leg, chain, checks
from multitask.money import Money
from multitask.payments.books.proof import held, keys, merkle, owed, personal, statements, trees, verification
from multitask.payments.models import ProofStatement, ProofTree, ProofTreePart
from tests.integration.ledger.books import settle_constraints
from tests.integration.ledger.connections import together
from tests.integration.proof.verifying import verify
from tests.payments_world import World, dollars, user_id
from tests.sandbox_process import ROOT

OTHER_KEY = "11" * 32
UPDATE, DELETE = "UPDATE payments_proofstatement", "DELETE FROM payments_proofstatement"
DEADLINE_SECONDS = 90


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def chain_everything() -> None:
    """Append links until the newest transaction is covered."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        chain.extend(until=ledger.closed_until())
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM ledger_transaction")
            if cursor.fetchone() == (chain.head().transactions,):
                return
        assert time.monotonic() < deadline


def put(code: str, minor: int, *, currency: str = "USD", source: str = "platform:test") -> None:
    """Post an amount to an account, whatever its floor is in the product."""
    legs = [
        Leg(AccountRef(code, floor_minor=None), Money(minor, currency)),
        Leg(AccountRef(source, floor_minor=None), Money(-minor, currency)),
    ]
    with transaction.atomic():
        ledger.post(
            kind="test",
            scope="test",
            key=f"{code}:{currency}",
            legs=legs,
            effective_at=ledger.closed_until(),
            description="",
        )


def currency_of(statement: ProofStatement, code: str) -> dict[str, Any]:
    return next(each for each in statements.document(statement)["currencies"] if each["currency"] == code)


def test_one_statement_a_day(world: World) -> None:
    world.funded()
    first = statements.publish(now=world.now)
    assert statements.publish(now=world.now) == first
    second = statements.publish(now=world.now + timedelta(days=1))
    assert (first.number, second.number) == (1, 2)
    assert statements.document(first)["previous_statement"] is None
    assert statements.document(second)["previous_statement"] == sha256(first.text.encode()).hexdigest()
    assert list(statements.listed()) == [second, first]


def test_statements_that_follow_each_other_verify_together(world: World, tmp_path: Path) -> None:
    world.funded()
    signed = [statements.signed(statements.publish(now=world.now + timedelta(days=day))) for day in range(2)]
    assert verify(tmp_path, *signed).status == 0
    other = statements.signed(statements.publish(now=world.now + timedelta(days=2)))
    forged = json.loads(signed[0]["statement"]) | {"issuer": "https://other.example"}
    text = json.dumps(forged)
    assert verify(tmp_path, other, *signed).status == 0
    verdict = verify(tmp_path, {**signed[0], "statement": text, "signature": keys.sign(text)}, signed[1])
    assert verdict.status == 1
    assert "statement 2 names another one before it" in verdict.text


def test_a_statement_names_the_head_of_the_chain(world: World) -> None:
    world.funded()
    chain_everything()
    head = chain.head()
    content = statements.document(statements.publish(now=world.now))
    assert content["chain"] == {"link": head.number, "hash": head.hash.hex(), "transactions": head.transactions}


def test_it_says_when_too_little_is_held(world: World) -> None:
    """The provider keeps its fee of the first payment, and nothing was earned yet."""
    world.funded()
    found = currency_of(statements.publish(now=world.now), "USD")
    assert (found["owed"], found["held"], found["is_covered"]) == (10_000, 9_680, False)


def test_the_platforms_fees_cover_what_it_spends(world: World) -> None:
    world.released(dollars("1000.00"))
    found = currency_of(statements.publish(now=world.now), "USD")
    assert (found["owed"], found["owed_by_kind"]) == (85_000, {"pending": 85_000})
    assert found["is_covered"]


@pytest.mark.breaks_the_books
def test_a_debt_of_one_person_does_not_reduce_what_is_owed_to_others(db: None, world: World) -> None:
    put("user:1:available", 500)
    put("user:2:available", -300)
    put("user:2:receivable", -200)
    put("user:2:paid_ahead", -100)
    put("chargeback:1", -50)
    found = currency_of(statements.publish(now=world.now), "USD")
    assert (found["owed"], found["leaves"], found["owed_by_kind"]) == (500, 1, {"available": 500})


@pytest.mark.breaks_the_books
def test_an_overdrawn_account_at_the_provider_is_a_debt(db: None) -> None:
    put("provider:stripe:balance", -1000)
    put("provider:stripe:account:7", 300)
    put("platform:bank", -9000)
    assert {currency: found.total for currency, found in held.by_currency().items()} == {"USD": 700}


def accounts_of_the_product() -> set[str]:
    """The code of every account that our programs name, with an id in it."""
    sources = [path.read_text() for path in (ROOT / "multitask").rglob("*.py")]
    names = [name for source in sources for name in re.findall(r'AccountRef\(f?"([^"]+)"', source)]
    assert names
    return {re.sub(r"\{\w+\}", "1", name.replace("{provider}", "stripe")) for name in names}


def test_every_account_is_owed_to_people_or_is_not() -> None:
    """An account that is added to the books has to be put on one side."""
    codes = {
        "escrow:1": True,
        "user:1:pending": True,
        "user:1:available": True,
        "user:1:withdrawing": True,
        "refund:1": True,
        "unapplied:1": True,
        "contested:1": True,
        "platform:fees": False,
        "platform:processing_costs": False,
        "provider:stripe:balance": False,
        "provider:stripe:account:1": False,
        "provider:stripe:bank": False,
        "provider:stripe:budget": False,
        "platform:payout_fees": False,
        "platform:payout_taxes": False,
        "user:1:receivable": False,
        "user:1:paid_ahead": False,
        "chargeback:1": False,
        "suspense:stripe": False,
        "platform:losses": False,
        "platform:dispute_fees": False,
        "platform:exchange": False,
        "platform:adjustments": False,
        "platform:bank": False,
    }
    assert {code: bool(re.search(owed.ACCOUNTS, code)) for code in codes} == codes
    assert accounts_of_the_product() <= set(codes)


@pytest.mark.breaks_the_books
def test_large_trees_are_kept_in_parts(db: None, world: World, tmp_path: Path) -> None:
    """Every leaf's path leads to the root, which is that of the whole tree; sums and leaves are all counted."""
    people = 2 * trees.LEAVES_PER_PART + 77
    run(
        """
        SELECT ledger_post('test', 'test', n::text, now(), '', '{}', NULL,
                           ARRAY[format('user:%%s:available', n), 'platform:test'], ARRAY['USD', 'USD'],
                           ARRAY[0, NULL]::bigint[], ARRAY[1, 1]::smallint[], ARRAY[n, -n]::bigint[])
          FROM generate_series(1, %s) n
        """,
        people,
    )
    statement = statements.publish(now=world.now)
    found = currency_of(statement, "USD")
    assert (found["leaves"], found["owed"]) == (people, people * (people + 1) // 2)
    assert ProofTreePart.objects.count() == 3

    leaves = list(trees.find(statement.number, [f"user:{n}" for n in range(1, people + 20)]))
    assert len(leaves) == people
    assert merkle.root([leaf.node() for leaf, _ in leaves]).hash.hex() == found["root"]
    for leaf, steps in leaves:
        node = leaf.node()
        for step in steps:
            pair = (step.sibling, node) if step.side == "left" else (node, step.sibling)
            node = merkle.parent(*pair)
        assert (node.hash.hex(), node.sum_minor) == (found["root"], found["owed"])
    proof = personal.proof(user_id=people)
    assert f"included: user:{people}: available {people // 100}.{people % 100:02} USD" in verify(tmp_path, proof).text


def test_nonces_and_places_differ_between_statements(world: World) -> None:
    job = world.funded()
    leaves = []
    for day in range(2):
        statements.publish(now=world.now + timedelta(days=day))
        proof = personal.proof(user_id=user_id(job.client))
        assert proof is not None
        leaves.append(proof["leaves"][0]["leaf"])
    assert leaves[0]["nonce"] != leaves[1]["nonce"]
    assert leaves[0]["amounts"] == leaves[1]["amounts"]


def test_old_trees_are_deleted_and_statements_are_kept(world: World) -> None:
    world.funded()
    for day in range(trees.TREES_KEPT + 2):
        statements.publish(now=world.now + timedelta(days=day))
    assert ProofStatement.objects.count() == trees.TREES_KEPT + 2
    assert min(ProofTree.objects.values_list("pk", flat=True)) == 3
    assert list(trees.find(1, ["escrow:1"])) == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_publish_one_statement() -> None:
    put("platform:bank", -1)
    now = timezone.now()
    made = together([lambda: statements.publish(now=now)] * 4)
    assert {statement.number for statement in made} == {1}
    assert ProofStatement.objects.count() == 1


def test_the_jobs_chain_and_publish(world: World) -> None:
    assert not statements.is_due(now=world.now)
    jobs.publish_statement(timestamp=0)
    assert not ProofStatement.objects.exists(), "the books are empty"
    world.funded()
    assert statements.is_due(now=world.now)
    jobs.extend_chain(timestamp=0)
    jobs.publish_statement(timestamp=0)
    jobs.publish_statement(timestamp=0)
    assert ProofStatement.objects.count() == 1
    assert not statements.is_due(now=ProofStatement.objects.get().taken_at)
    assert statements.is_due(now=ProofStatement.objects.get().taken_at + timedelta(days=1))


# -- what is changed afterwards


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_proofstatement SET signature = ''",
        "DELETE FROM payments_proofstatement",
        "TRUNCATE payments_proofstatement",
    ],
)
def test_statements_are_never_changed(world: World, statement: str) -> None:
    world.funded()
    statements.publish(now=world.now)
    with pytest.raises(Error, match="statements are never changed"), transaction.atomic():
        run(statement)


@pytest.fixture
def published(world: World) -> World:
    """Three statements over a chain of two links."""
    world.funded()
    chain_everything()
    statements.publish(now=world.now)
    world.funded()
    chain_everything()
    for day in (1, 2):
        statements.publish(now=world.now + timedelta(days=day))
    return world


def found_after(*changes: str) -> list[str]:
    """Return what the check finds after changes by a superuser, which are rolled back."""
    settle_constraints()
    with transaction.atomic():
        run("ALTER TABLE payments_proofstatement DISABLE TRIGGER ALL")
        run("ALTER TABLE ledger_link DISABLE TRIGGER ALL")
        run("ALTER TABLE ledger_transaction DISABLE TRIGGER ALL")
        for change in changes:
            run(change)
        found = [violation.detail for violation in checks.run() if violation.invariant == verification.NAME]
        transaction.set_rollback(True)
    return found


def test_untouched_statements_have_no_violations(published: World) -> None:
    assert checks.run() == []
    assert found_after() == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE payments_proofstatement SET text = replace(text, 'owed', 'held') WHERE number = 2", "is not what was"),
        (
            "UPDATE payments_proofstatement SET signature = 'AAAA' WHERE number = 2",
            "statement 2 is not what was signed",
        ),
        ("UPDATE payments_proofstatement SET digest = repeat('0', 64) WHERE number = 2", "under its own digest"),
        ("DELETE FROM payments_proofstatement WHERE number = 2", "statement 3 does not follow the one before it"),
        ("DELETE FROM payments_proofstatement WHERE number = 1", "statement 2 does not follow the one before it"),
        ("DELETE FROM ledger_link WHERE number = 2", "statement 2 names another hash for link 2"),
    ],
)
def test_a_changed_statement_is_found(published: World, change: str, problem: str) -> None:
    assert problem in " ".join(found_after(change))


def test_a_chain_that_was_written_anew_is_found(published: World) -> None:
    """A superuser who changes an entry and computes all links again contradicts what was signed."""
    settle_constraints()
    with transaction.atomic():
        run("ALTER TABLE ledger_link DISABLE TRIGGER ALL")
        run("ALTER TABLE ledger_transaction DISABLE TRIGGER ALL")
        run("UPDATE ledger_transaction SET description = 'never happened' WHERE kind = 'escrow_funded'")
        run("DELETE FROM ledger_link")
        chain_everything()
        assert list(chain.verify()) == []
        found = list(verification.violations())
        transaction.set_rollback(True)
    assert any("statement 1 names another hash for link 1 of the ledger's chain" in detail for detail in found)


# -- keys


@pytest.mark.breaks_the_books
def test_a_new_key_signs_and_the_statements_of_the_old_one_stay_valid(
    published: World, settings: Settings, tmp_path: Path
) -> None:
    old = keys.public_key()
    settings.PROOF_SIGNING_KEY = OTHER_KEY
    assert {f"statement {number}" in " ".join(verification.violations()) for number in (1, 2, 3)} == {True}
    settings.PROOF_OLD_PUBLIC_KEYS = [old]
    newest = statements.publish(now=published.now + timedelta(days=9))
    assert newest.public_key == keys.public_key() != old
    assert keys.published() == [keys.public_key(), old]
    assert list(verification.violations()) == []
    for statement in statements.listed():
        assert verify(tmp_path, statements.signed(statement), key=statement.public_key).status == 0


@pytest.mark.breaks_the_books
def test_a_statement_of_an_unknown_key_is_found(published: World, settings: Settings) -> None:
    """Somebody who can write to the database but has no key of ours signs with their own."""
    stranger = Ed25519PrivateKey.generate()
    settings.PROOF_SIGNING_KEY = stranger.private_bytes_raw().hex()
    statements.publish(now=published.now + timedelta(days=9))
    settings.PROOF_SIGNING_KEY = "de" * 32
    (found,) = verification.violations()
    assert found.startswith("statement 4 is signed with the key ")
    assert found.endswith(", which is not among ours")
