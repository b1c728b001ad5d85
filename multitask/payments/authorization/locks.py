"""The row locks of money commands.

Commands take the locks that they share in one order, so that two of them never wait for each other: the task (posting,
applying, accepting), the user, the milestone, its escrow, the payee's account, then payments, refunds, disputes and
withdrawals. The totals of what escrows hold, history totals, operations and the ledger's balances are locked after all
of these, as a command needs them: totals in the order of their users, balances in the order of their accounts. A batch
locks all its escrows, in the order of their ids, before anything that comes after them. Lines of a provider's statement
are locked with balances alone.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, Q

from multitask.database import Statement
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.models import Agreement, ConnectedAccount, Escrow, Milestone, PlatformPayee
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor, Power
from multitask.users.models import User

# What a command reads with the lock, by the names of the tables in the statement.
_READ: Final[Sequence[tuple[str, type[Model]]]] = (
    ("escrow", Escrow),
    ("milestone", Milestone),
    ("agreement", Agreement),
    ("client", User),
    ("freelancer", User),
)
_COLUMNS: Final = ", ".join(
    f'{table}."{field.column}" AS {table}_{field.column}'
    for table, model in _READ
    for field in model._meta.concrete_fields
)
# PostgreSQL locks in the order of the list at the end: the milestone first, as the commands on milestones do.
_LOCK: Final = f"""
SELECT {_COLUMNS}
  FROM payments_escrow escrow
  JOIN payments_milestone milestone ON milestone.id = escrow.milestone_id
  JOIN payments_agreement agreement ON agreement.id = escrow.agreement_id
  JOIN users_user client ON client.id = escrow.client_id
  JOIN users_user freelancer ON freelancer.id = escrow.freelancer_id
 WHERE {{condition}}
 LIMIT 1 FOR NO KEY UPDATE OF milestone, escrow
"""  # noqa: S608 - the names of our own columns
# The function is called once the rows are locked, so it sees what the lock waited for.
_LOCK_AND_ASK: Final = """
SELECT locked.*, answer.* FROM ({lock}) AS locked CROSS JOIN LATERAL {function}(locked.escrow_id) AS answer
"""


def locked_escrow(actor: Actor, escrow_id: access.Identifier) -> Escrow:
    """Return an escrow like `access.escrow`, locked with its milestone until the commit. Raises NotFound."""
    return locked_escrow_with(actor, escrow_id)[0]


def locked_escrow_with(
    actor: Actor, escrow_id: access.Identifier, *, function: str = ""
) -> tuple[Escrow, tuple[Any, ...]]:
    """Return a locked escrow, and the row that an SQL function answers about it. Raises NotFound."""
    condition, values = access.visible_by_id(actor, escrow_id)
    found = _locked(condition, values, function)
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def lock_by_id(escrow_id: int) -> Escrow:
    """Lock an escrow for a command that applies the provider's state. Raises NotFound."""
    found = _locked("escrow.id = %(escrow)s", {"escrow": escrow_id})
    if found is None:
        raise NotFound("There is no such escrow.")
    return found[0]


def lock_by_milestone(milestone_id: int) -> Escrow | None:
    """Lock and return the milestone's escrow that is not cancelled, or None."""
    is_live = f"escrow.milestone_id = %(milestone)s AND escrow.state <> '{EscrowState.CANCELLED.value}'"
    found = _locked(is_live, {"milestone": milestone_id})
    return None if found is None else found[0]


def locked_milestone(actor: Actor, milestone_id: int) -> Milestone:
    """Lock a milestone of an agreement that the actor is a party to; any for staff and the system. Raises NotFound."""
    # The row is locked before it is read, so that no stale values are used.
    found = Milestone.objects.select_for_update(no_key=True, of=("self",)).filter(pk=milestone_id)
    if not actor.may(Power.READ_ANY):
        found = found.filter(Q(agreement__payer_id=actor.user_id) | Q(agreement__payee_id=actor.user_id))
    milestone = found.select_related("agreement").first()
    if milestone is None or (actor.user_id is None and not actor.may(Power.READ_ANY)):
        raise NotFound("There is no such milestone.")
    return milestone


def lock_payee(user_id: int, provider: str, *, is_on_platform: bool) -> None:
    """Lock a payee's balance at a provider, so that no withdrawal and no loss takes the same money; after the escrow.

    That is their accounts at the provider; on a platform route, where they have none, their row of `PlatformPayee`.
    """
    if not is_on_platform:
        accounts = ConnectedAccount.objects.filter(user_id=user_id, provider=provider)
        list(accounts.select_for_update(no_key=True).order_by("pk"))
        return
    locked = PlatformPayee.objects.select_for_update(no_key=True).filter(user_id=user_id, provider=provider)
    if locked.first() is None:
        # Of two that insert it at once, the second waits for the first and then has the row locked by its update.
        PlatformPayee.objects.bulk_create(
            [PlatformPayee(user_id=user_id, provider=provider)],
            update_conflicts=True,
            unique_fields=["user", "provider"],
            update_fields=["provider"],
        )


def _locked(condition: str, values: Mapping[str, Any], function: str = "") -> tuple[Escrow, tuple[Any, ...]] | None:
    for row in _statement(condition, function).rows(values):
        return _read(row)
    return None


@cache
def _statement(condition: str, function: str) -> Statement:
    lock = _LOCK.format(condition=condition)
    return Statement(_LOCK_AND_ASK.format(lock=lock, function=function) if function else lock)


def _read(row: tuple[Any, ...]) -> tuple[Escrow, tuple[Any, ...]]:
    """Return the escrow of a row, with what is joined to it, and what is behind it in the row."""
    found: dict[str, Any] = {}
    for table, model in _READ:
        names = [field.attname for field in model._meta.concrete_fields]
        found[table] = model.from_db(DEFAULT_DB_ALIAS, names, row[: len(names)])
        row = row[len(names) :]
    escrow: Escrow = found.pop("escrow")
    for name, joined in found.items():
        escrow._state.fields_cache[name] = joined
    return escrow, row
