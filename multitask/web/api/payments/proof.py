"""`/payments/proof/`: signed statements of what is owed and held, open to everybody, and the caller's own proof."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from multitask.money import Money
from multitask.payments.books.proof import personal, statements
from multitask.payments.errors import NotFound
from multitask.payments.models import ProofStatement
from multitask.web.api import auth, pagination
from multitask.web.api.operations import responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.schemas import AmountOut, CurrencyOut, Output, Page, amount_out

router = Router(tags=["proof"])

BIGGEST_NUMBER = 2**31 - 1

Hash = Annotated[str, Field(description="SHA-256 in hexadecimal.", pattern="^[0-9a-f]{64}$")]
MinorUnits = Annotated[int, Field(ge=0, description="In minor units, as it is hashed.")]


class SignedOut(Output):
    """A statement as it was signed."""

    statement: str = Field(description="JSON, exactly the text that was signed. Amounts in it are in minor units.")
    signature: str = Field(description="The Ed25519 signature of that text, in base64.")
    public_key: str = Field(description="The Ed25519 public key, in hexadecimal.")
    key_id: str = Field(description="The first 16 hexadecimal digits of the public key's SHA-256.")


class ChainOut(Output):
    """The head of the hash chain over the ledger's transactions."""

    link: int
    hash: Hash
    transactions: int = Field(description="How many transactions the chain covers.")


class CurrencyProofOut(Output):
    """What is owed and held in one currency."""

    currency: CurrencyOut
    owed: Annotated[AmountOut, Field(description="What is owed to people: the sum at the root of the tree.")]
    owed_by_kind: dict[str, AmountOut]
    held: Annotated[AmountOut, Field(description="What the payment providers hold: the sum of its four parts.")]
    held_reported: AmountOut | None = Field(
        description="The providers' own figures at the last comparison; null in statements of version 1."
    )
    held_in_flight: AmountOut | None = Field(
        description="What had left the accounts then and was not final, less what had arrived and was not booked."
    )
    held_since: AmountOut | None = Field(description="What has moved since then by the platform's books.")
    held_unreported: AmountOut | None = Field(
        description="What lies in accounts that no provider reports, by the platform's books."
    )
    reported_at: datetime | None = Field(description="The oldest of those comparisons; null if there was none.")
    is_covered: bool = Field(description="Whether no more is owed than held.")
    leaves: int
    root: Hash | None = Field(description="The root of the Merkle-sum tree; null if nothing is owed.")


class StatementOut(SignedOut):
    """A signed statement with its content."""

    number: int
    date: date
    taken_at: datetime
    previous_statement: Hash | None = Field(description="The SHA-256 of the text of the statement before.")
    chain: ChainOut
    currencies: list[CurrencyProofOut]


class LeafOut(Output):
    """One leaf: what is owed to a person, or is in one escrow."""

    currency: CurrencyOut
    subject: str = Field(examples=["user:5", "escrow:12"])
    amounts: dict[str, MinorUnits]
    nonce: str


class StepOut(Output):
    """One step from the leaf to the root: the sibling."""

    side: Literal["left", "right"]
    hash: Hash
    sum: MinorUnits


class LeafPathOut(Output):
    """One leaf with its path to the root."""

    leaf: LeafOut
    path: list[StepOut]


class OwnProofOut(SignedOut):
    """The caller's proof: what `verify_proof.py` verifies."""

    subject: str
    leaves: list[LeafPathOut]


@router.get("/proof/", auth=None, operation_id="proof_get", response=responses({200: StatementOut}, 404, user=False))
def get(request: HttpRequest) -> StatementOut:
    """Show the newest statement; 404 before the first one was made."""
    found = statements.newest()
    if found is None:
        raise NotFound
    return show(found)


@router.get(
    "/proof/statements/",
    auth=None,
    operation_id="proof_statements",
    response=responses({200: Page[StatementOut]}, user=False),
)
def listed(request: HttpRequest, paging: PageQuery) -> Page[StatementOut]:
    """List all statements, newest first: one per day."""
    return pagination.page(request, paging, statements.listed(), show)


@router.get(
    "/proof/statements/{number}/",
    auth=None,
    operation_id="proof_statement",
    response=responses({200: StatementOut}, 404, user=False),
)
def statement(request: HttpRequest, number: Annotated[int, Field(ge=1, le=BIGGEST_NUMBER)]) -> StatementOut:
    """Show one statement."""
    found = statements.listed().filter(number=number).first()
    if found is None:
        raise NotFound
    return show(found)


@router.get("/proof/mine/", operation_id="proof_mine", response=responses({200: OwnProofOut}, 404))
def mine(request: HttpRequest) -> dict[str, Any]:
    """Show the caller's own proof for the newest statement: their leaves and the paths to the signed roots."""
    found = personal.proof(user_id=auth.user_of(request).pk)
    if found is None:
        raise NotFound
    return found


def show(found: ProofStatement) -> StatementOut:
    """Make the answer that shows a statement."""
    content = statements.document(found)
    return StatementOut(
        **statements.signed(found),
        number=found.number,
        date=found.day,
        taken_at=found.taken_at,
        previous_statement=content["previous_statement"],
        chain=ChainOut(**content["chain"]),
        currencies=[_currency(each) for each in content["currencies"]],
    )


def _currency(each: dict[str, Any]) -> CurrencyProofOut:
    code = each["currency"]
    return CurrencyProofOut(
        currency=code,
        owed=amount_out(Money(each["owed"], code)),
        owed_by_kind={kind: amount_out(Money(minor, code)) for kind, minor in each["owed_by_kind"].items()},
        held=amount_out(Money(each["held"], code)),
        held_reported=_part(each, "held_reported"),
        held_in_flight=_part(each, "held_in_flight"),
        held_since=_part(each, "held_since"),
        held_unreported=_part(each, "held_unreported"),
        reported_at=each.get("reported_at"),
        is_covered=each["is_covered"],
        leaves=each["leaves"],
        root=each["root"],
    )


def _part(each: dict[str, Any], name: str) -> str | None:
    return amount_out(Money(each[name], each["currency"])) if name in each else None
