"""Each person's own proof: the leaves in which their money stands, with the steps to the root."""

from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from multitask import database
from multitask.payments.books.proof import statements, trees
from multitask.payments.books.proof.merkle import Step
from multitask.payments.models import Escrow, ProofStatement


@database.snapshot
def proof(*, user_id: int) -> dict[str, Any] | None:
    """Return a person's proof for the newest statement, None if there is no statement yet.

    It holds the signed statement, and the leaves of the person and of each escrow to which they are a party. Without
    leaves nothing was owed to them at that moment.
    """
    statement = statements.newest()
    if statement is None:
        return None
    found = trees.find(statement.number, [subject_of(user_id), *_escrows(user_id, statement)])
    return {
        **statements.signed(statement),
        "subject": subject_of(user_id),
        "leaves": [{"leaf": leaf.document(), "path": [_step(step) for step in steps]} for leaf, steps in found],
    }


def subject_of(user_id: int) -> str:
    """Return the subject under which a person's own money stands."""
    return f"user:{user_id}"


def _escrows(user_id: int, statement: ProofStatement) -> list[str]:
    """Return the subjects of the escrows of a person that may have held money when the statement was made."""
    closed_at = Coalesce("released_at", "refunded_at", "cancelled_at")
    theirs = Escrow.objects.filter(Q(client_id=user_id) | Q(freelancer_id=user_id), funded_at__isnull=False)
    # More than held money then: whether one did is known by its leaf.
    found = theirs.annotate(closed_at=closed_at).filter(Q(closed_at=None) | Q(closed_at__gte=statement.taken_at))
    return [f"escrow:{number}" for number in found.values_list("pk", flat=True)]


def _step(step: Step) -> dict[str, Any]:
    return {"side": step.side, "hash": step.sibling.hash.hex(), "sum": step.sibling.sum_minor}
