"""The check that statements are what they were: signed, in order, and in agreement with the ledger's hash chain."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from multitask.ledger import chain
from multitask.payments.books.proof import keys, statements
from multitask.payments.models import ProofStatement

NAME: Final = "statements are signed, in order, and match the hash chain"


def violations() -> Iterator[str]:
    """Yield one sentence per statement that differs from what was published. There is one statement per day."""
    previous: ProofStatement | None = None
    known = keys.published()
    for statement in statements.listed().reverse().iterator(chunk_size=100):
        yield from (f"statement {statement.number} {problem}" for problem in _problems(statement, previous, known))
        previous = statement


def _problems(statement: ProofStatement, previous: ProofStatement | None, known: list[str]) -> Iterator[str]:
    if statement.public_key not in known:
        yield f"is signed with the key {keys.key_id(statement.public_key)}, which is not among ours"
    if not keys.is_signed(statement.text, statement.signature, statement.public_key):
        yield "is not what was signed"
        return
    content = statements.document(statement)
    if statement.digest != sha256(statement.text.encode()).hexdigest() or content["number"] != statement.number:
        yield "is not stored under its own digest and number"
    if content["number"] != (1 if previous is None else previous.number + 1):
        yield "does not follow the one before it"
    if content["previous_statement"] != (None if previous is None else previous.digest):
        yield "names another statement before it"
    head = content["chain"]
    found = chain.hash_of(head["link"])
    if found is None or found.hex() != head["hash"]:
        yield f"names another hash for link {head['link']} of the ledger's chain, so the chain was written anew"
