"""The page of one statement line."""

from django.http import HttpRequest, HttpResponse

from multitask.ledger.models import Transaction
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import postings, statement, statement_postings
from multitask.payments.models import Approval, StatementLine
from multitask.payments.states import LineState
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.reconciliation import accounts
from multitask.web.backoffice.reconciliation.actions import ExplainLine

NEWEST = 20


def show(request: HttpRequest, line: StatementLine) -> HttpResponse:
    """Show a line: what moved, what was posted for it, the other lines of its source, and who has to decide."""
    of_source = statement.lines_of(line.account, [line.source]).exclude(pk=line.pk)
    waiting = Approval.objects.filter(kind=approvals.EXPLAIN_LINE, subject=f"statement_line:{line.pk}", decided_at=None)
    approval = waiting.select_related("requested_by").first()
    own = Transaction.objects.filter(scope=postings.SCOPE, key__in=statement_postings.keys(line))
    context = {
        "line": line,
        "net": line.net,
        "gross": Money(line.amount_minor, line.currency),
        "fee": Money(line.fee_minor, line.currency),
        "suspense": Money(line.suspense_minor, line.currency),
        "owner": accounts.link(line.account),
        "others": [(other, other.net) for other in of_source[:NEWEST]],
        "postings": own.order_by("created_at"),
        "approval": approval,
        "may_decide": approval is not None and approvals.may_decide(roles.actor_of(request), approval),
        "buttons": _buttons(request, line, approval),
    }
    return rendering.page(request, "reconciliation/line.html", labels.of("line_kind", line.kind), context)


def _buttons(request: HttpRequest, line: StatementLine, approval: Approval | None) -> list[Button]:
    is_offered = line.state == LineState.OPEN.value and approval is None and roles.may(request, ExplainLine.power)
    return [ExplainLine.button(line.pk)] if is_offered else []
