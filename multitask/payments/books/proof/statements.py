"""Signed statements: what is owed to people and what the providers hold, once a day."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet

from multitask import database
from multitask.ledger import chain
from multitask.ledger.models import Transaction
from multitask.money import Currency
from multitask.payments.books.proof import held, keys, trees
from multitask.payments.books.proof.held import Held
from multitask.payments.books.proof.trees import Tree
from multitask.payments.models import ProofStatement, ProofTree

VERSION: Final = 2
_NOTHING: Final = Held(reported=0, in_flight=0, since=0, unreported=0, reported_at=None)

log = structlog.get_logger(__name__)


def publish(*, now: datetime) -> ProofStatement | None:
    """Return the statement of the day of `now` (UTC); make and sign it if there is none yet.

    Returns None while the books are empty: the first statement has something to say. Deletes trees that are no longer
    kept. Everything in a statement is read at one moment.
    """
    day = now.astimezone(UTC).date()
    made = ProofStatement.objects.filter(day=day).first()
    if made is not None or not Transaction.objects.exists():
        return made
    try:
        statement = database.run_on_snapshot(lambda: _make(now))
    except IntegrityError:
        # Another worker made it at the same time.
        return ProofStatement.objects.get(day=day)
    for found in document(statement)["currencies"]:
        if not found["is_covered"]:
            log.error("proof_not_covered", currency=found["currency"], owed=found["owed"], held=found["held"])
    ProofTree.objects.filter(statement__lte=statement.number - trees.TREES_KEPT).delete()
    return statement


def is_due(*, now: datetime) -> bool:
    """Return whether `publish` would make a statement."""
    day = now.astimezone(UTC).date()
    return not ProofStatement.objects.filter(day=day).exists() and Transaction.objects.exists()


def _make(now: datetime) -> ProofStatement:
    previous = newest()
    number = 1 if previous is None else previous.number + 1
    built = trees.build(number)
    head = chain.head()
    content = {
        "version": VERSION,
        "issuer": settings.PUBLIC_URL,
        "number": number,
        "date": now.astimezone(UTC).date().isoformat(),
        "taken_at": now.astimezone(UTC).isoformat(),
        "previous_statement": None if previous is None else previous.digest,
        "chain": {"link": head.number, "hash": head.hash.hex(), "transactions": head.transactions},
        "currencies": _currencies(built, held.by_currency()),
    }
    text = json.dumps(content, indent=1)
    return ProofStatement.objects.create(
        number=number,
        day=now.astimezone(UTC).date(),
        taken_at=now,
        text=text,
        digest=sha256(text.encode()).hexdigest(),
        public_key=keys.public_key(),
        signature=keys.sign(text),
    )


def _currencies(built: dict[str, Tree], holdings: dict[str, Held]) -> list[dict[str, Any]]:
    """Return one object per currency in which anything is owed or held; amounts are in minor units."""
    used = sorted(set(built) | {currency for currency, found in holdings.items() if _is_used(found)})
    return [_currency(currency, built.get(currency), holdings.get(currency, _NOTHING)) for currency in used]


def _is_used(found: Held) -> bool:
    return any((found.reported, found.in_flight, found.since, found.unreported))


def _currency(currency: str, tree: Tree | None, holding: Held) -> dict[str, Any]:
    owed = tree.root.sum_minor if tree else 0
    return {
        "currency": currency,
        "decimals": Currency.of(currency).decimals,
        "owed": owed,
        "owed_by_kind": tree.by_kind if tree else {},
        "held": holding.total,
        "held_reported": holding.reported,
        "held_in_flight": holding.in_flight,
        "held_since": holding.since,
        "held_unreported": holding.unreported,
        "reported_at": None if holding.reported_at is None else holding.reported_at.astimezone(UTC).isoformat(),
        "is_covered": owed <= holding.total,
        "leaves": tree.leaves if tree else 0,
        "root": tree.root.hash.hex() if tree else None,
    }


def shortfalls() -> dict[str, int]:
    """Return what is owed beyond what is held by the newest statement, in minor units per currency; zero if covered."""
    statement = newest()
    found = [] if statement is None else document(statement)["currencies"]
    return {each["currency"]: max(0, each["owed"] - each["held"]) for each in found}


def newest() -> ProofStatement | None:
    """Return the newest statement, None if there is none yet."""
    return listed().first()


def listed() -> QuerySet[ProofStatement]:
    """Return all statements, newest first."""
    return ProofStatement.objects.order_by("-number")


def document(statement: ProofStatement) -> dict[str, Any]:
    """Return the content of a statement."""
    content: dict[str, Any] = json.loads(statement.text)
    return content


def signed(statement: ProofStatement) -> dict[str, str]:
    """Return a statement as it is published: its text exactly as it was signed, the signature and the public key."""
    return {
        "statement": statement.text,
        "signature": statement.signature,
        "public_key": statement.public_key,
        "key_id": keys.key_id(statement.public_key),
    }
