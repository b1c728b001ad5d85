"""Tasks and applications for lists and single pages; reads only."""

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from multitask.database import search as words
from multitask.marketplace import access
from multitask.marketplace.errors import ApplicationNotFound, TaskNotFound
from multitask.marketplace.models import Application, Task, TaskQuerySet
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import onboarding
from multitask.payments.reads import waiting_payouts
from multitask.text import folding
from multitask.users.actor import Actor


def task(actor: Actor, *, task_id: int) -> Task:
    """Return one task. Raises TaskNotFound."""
    found = _listed(access.visible_tasks(actor)).filter(pk=task_id).first()
    if found is None:
        raise TaskNotFound
    return found


def tasks(actor: Actor, *, status: TaskStatus | None = None, search: str = "") -> QuerySet[Task]:
    """Select all tasks that the actor may see, newest first.

    `search` selects those with words that begin with all of its words, at most the newest `MOST_FOUND`.
    """
    rows = _with_status(access.visible_tasks(actor), status)
    if search:
        rows = Task.objects.filter(pk__in=words.newest(rows, folding.query(search)))
    return _listed(rows)


def own_tasks(actor: Actor, *, status: TaskStatus | None = None) -> QuerySet[Task]:
    """Select the tasks that the actor has posted or is assigned to, newest first."""
    own = Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id)
    return _listed(_with_status(Task.objects.filter(own), status))


def application(actor: Actor, *, application_id: int) -> Application:
    """Return one application. Raises ApplicationNotFound."""
    found = _shown(access.visible_applications(actor)).filter(pk=application_id).first()
    if found is None:
        raise ApplicationNotFound
    return found


def applications_for(actor: Actor, *, task_id: int) -> QuerySet[Application]:
    """Select the applications for a task that the actor may see. Raises TaskNotFound."""
    access.visible_task(actor, task_id)
    return _shown(access.visible_applications(actor).filter(task_id=task_id))


def own_applications(actor: Actor, *, status: ApplicationStatus | None = None) -> QuerySet[Application]:
    """Select the actor's own applications, newest first."""
    rows = Application.objects.filter(freelancer_id=actor.user_id)
    return _shown(rows if status is None else rows.filter(status=status))


def applications_count(listed: Task) -> int:
    """Return the number of applications that are not withdrawn, for a task from one of these queries."""
    # The query adds this attribute; the model does not declare it.
    return int(vars(listed)["applications_count"])


def missing_for_payout(listed: Application) -> str:
    """Return what the freelancer of an application from one of these queries lacks to be paid out, or "".

    `no_account`: there is no payout account that can be used; `no_bank_in_currency`: it has no bank account in the
    task's currency. Where the platform pays out itself, `identity_missing` or `destination_missing`. The money of the
    task would wait for it.
    """
    shown = vars(listed)
    if waiting_payouts.is_on_platform(listed.task.currency):
        return _missing_details(has_identity=shown["has_identity"], has_destination=shown["has_destination"])
    return _missing_bank(shown["payout_currencies"], listed.task.currency)


def missing_for_payout_of(freelancer_id: int, currency: str) -> str:
    """Return what a freelancer who may apply lacks to be paid out, as `missing_for_payout`. At most two statements."""
    if waiting_payouts.is_on_platform(currency):
        return _missing_details(
            has_identity=PayeeIdentity.objects.filter(user_id=freelancer_id, replaced_at=None).exists(),
            has_destination=PayoutDestination.objects.filter(
                user_id=freelancer_id, currency=currency, retired_at=None
            ).exists(),
        )
    account = onboarding.usable_accounts().filter(user_id=freelancer_id)
    return _missing_bank(account.values_list("bank_currencies", flat=True).first(), currency)


def _missing_details(*, has_identity: bool, has_destination: bool) -> str:
    if not has_identity:
        return "identity_missing"
    return "" if has_destination else "destination_missing"


def _missing_bank(bank_currencies: list[str] | None, currency: str) -> str:
    """Return what is missing of a payout account, None for a freelancer without one."""
    if bank_currencies is None:
        return "no_account"
    return "" if currency in bank_currencies else "no_bank_in_currency"


def _with_status(rows: TaskQuerySet, status: TaskStatus | None) -> TaskQuerySet:
    return rows if status is None else rows.in_status(status)


def _listed(rows: TaskQuerySet) -> QuerySet[Task]:
    counted = (
        Application.objects.filter(task=OuterRef("pk"))
        .exclude(status=ApplicationStatus.WITHDRAWN)
        .order_by()
        .values("task")
        .annotate(total=Count("pk"))
        .values("total")
    )
    return (
        rows.with_work()
        .select_related("client", "freelancer", "accepted_application", "agreement")
        .annotate(applications_count=Coalesce(Subquery(counted, output_field=IntegerField()), 0))
        .order_by("-pk")
    )


def _shown(rows: QuerySet[Application]) -> QuerySet[Application]:
    account = onboarding.usable_accounts().filter(user_id=OuterRef("freelancer_id"))
    banks = Subquery(account.values("bank_currencies")[:1])
    identities = PayeeIdentity.objects.filter(user_id=OuterRef("freelancer_id"), replaced_at=None)
    places = PayoutDestination.objects.filter(
        user_id=OuterRef("freelancer_id"), currency=OuterRef("task__currency"), retired_at=None
    )
    shown = rows.select_related("task", "freelancer").annotate(
        payout_currencies=banks, has_identity=Exists(identities), has_destination=Exists(places)
    )
    return shown.order_by("-pk")
