"""The explanation of an open line: by finance staff, with a reason, by two people."""

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, FourEyes, NotFound, WrongState
from multitask.payments.losses import explanations
from multitask.payments.losses.explanations import Explanation
from multitask.payments.models import Approval, AuditEvent, StatementLine
from multitask.users.actor import Actor, Assurance, Role
from multitask.users.powers import ProofNeeded
from tests.integration.statement.books import Books
from tests.payments_world import held

NOTE = "An invoice of the provider"


@pytest.fixture
def line(world: Books) -> StatementLine:
    """The provider has taken 12.34, and nobody knows why."""
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": -1_234, "currency": "usd"})
    world.read_all()
    return StatementLine.objects.get(kind="adjustment")


def explain(
    world: Books, line: StatementLine, actor: Actor, explanation: str = "adjustment", key: str = ""
) -> Approval:
    return explanations.explain(
        actor=actor, line_id=line.pk, explanation=Explanation(explanation), note=NOTE, now=world.now, request_key=key
    )


def approve(world: Books, approval: Approval, actor: Actor) -> None:
    approvals.decide(actor=actor, approval_id=approval.pk, approve=True, now=world.now)


@pytest.mark.parametrize(
    ("explanation", "account", "before"),
    [
        ("processing_cost", "platform:processing_costs", -320),
        ("platform_loss", "platform:losses", 0),
        ("own_money", "platform:bank", 0),
        ("exchange", "platform:exchange", 0),
        ("adjustment", "platform:adjustments", 0),
    ],
)
def test_an_approved_explanation_moves_the_amount(
    world: Books, line: StatementLine, explanation: str, account: str, before: int
) -> None:
    approval = explain(world, line, world.staff(), explanation)
    assert held("suspense:stripe") == -1_234

    approve(world, approval, world.staff())

    line.refresh_from_db()
    assert (line.state, line.suspense_minor, line.settled_minor, line.note) == ("explained", 0, -1_234, NOTE)
    assert (held("suspense:stripe"), held(account)) == (0, before - 1_234)
    event = AuditEvent.objects.get(event="line_explained")
    assert (event.amount_minor, event.note) == (-1_234, NOTE)
    world.read_all()
    assert world.compared() == (8_446, 8_446, 0, 0)
    assert world.open_items() == []


def test_it_takes_two_people(world: Books, line: StatementLine) -> None:
    finance = world.staff()
    approval = explain(world, line, finance)

    with pytest.raises(FourEyes):
        approve(world, approval, finance)
    with pytest.raises(WrongState):
        explain(world, line, world.staff(), "exchange")
    assert held("suspense:stripe") == -1_234


def test_only_finance_staff_with_a_fresh_proof_may_explain(world: Books, line: StatementLine) -> None:
    with pytest.raises(Forbidden):
        explain(world, line, world.staff("support"))
    with pytest.raises(Forbidden):
        explain(world, line, world.client())
    stale = Actor(user_id=1, role=world.staff().role, assurance=Assurance.SESSION)
    with pytest.raises(ProofNeeded):
        explain(world, line, stale)
    assert Approval.objects.count() == 0


def test_nobody_explains_a_line_of_their_own_account(world: Books) -> None:
    job = world.settled()
    account = world.account(job.freelancer)
    charged = {"type": "stripe_fee", "amount": -200, "currency": "usd", "account": str(account.provider_account_id)}
    world.sandbox.control("POST", "lines", charged)
    world.read_all()
    line = StatementLine.objects.get(state="open")
    owner = Actor(user_id=account.user_id, role=Role.FINANCE, assurance=Assurance.FRESH)

    with pytest.raises(Forbidden):
        explain(world, line, owner)
    approval = explain(world, line, world.staff(), "platform_loss")
    with pytest.raises(Forbidden):
        approve(world, approval, owner)
    approve(world, approval, world.staff())
    assert (held("platform:losses"), held("suspense:stripe")) == (-200, 0)


def test_an_explanation_needs_a_reason(world: Books, line: StatementLine) -> None:
    with pytest.raises(WrongState):
        explanations.explain(
            actor=world.staff(), line_id=line.pk, explanation=Explanation.EXCHANGE, note=" ", now=world.now
        )


def test_the_same_request_asks_once(world: Books, line: StatementLine) -> None:
    finance = world.staff()
    first = explain(world, line, finance, key="one")
    assert explain(world, line, finance, key="one") == first
    approve(world, first, world.staff())
    assert explain(world, line, finance, key="one") == first
    assert Approval.objects.count() == 1


def test_a_rejected_explanation_moves_nothing(world: Books, line: StatementLine) -> None:
    approval = explain(world, line, world.staff())

    approvals.decide(actor=world.staff(), approval_id=approval.pk, approve=False, now=world.now)

    assert world.open_items() == [("adjustment", -1_234)]
    explain(world, line, world.staff(), "exchange")


def test_only_an_open_line_is_explained(world: Books, line: StatementLine) -> None:
    matched = StatementLine.objects.get(kind="payment")
    with pytest.raises(WrongState):
        explain(world, matched, world.staff())
    matched.pk = 0
    with pytest.raises(NotFound):
        explain(world, matched, world.staff())


def test_a_posting_that_comes_after_the_explanation_opens_the_line_again(world: Books) -> None:
    line = unread_refund(world)
    approve(world, explain(world, line, world.staff(), "own_money"), world.staff())
    assert (world.lines()[1:], held("platform:bank")) == ([("refund", "explained", -4_000)], -4_000)

    world.hear()
    world.read_all()

    assert world.open_items() == [("refund", 4_000)]
    assert held("suspense:stripe") == 4_000
    assert world.differences() == []


def test_a_line_is_looked_at_again_by_the_clock_that_says_when_it_was_explained(world: Books) -> None:
    """The database's clock says it; this process's is half a year ahead."""
    line = unread_refund(world)
    approve(world, explain(world, line, world.staff(), "own_money"), world.staff())
    world.wait(days=180)

    world.hear()
    world.read_all()

    assert world.open_items() == [("refund", 4_000)]
    assert world.differences() == []


def test_an_open_line_is_matched_once_its_posting_comes(world: Books) -> None:
    line = unread_refund(world)
    assert (world.lines()[1:], held("suspense:stripe")) == ([("refund", "open", -4_000)], -4_000)
    approval = explain(world, line, world.staff())

    world.hear()
    world.read_all()

    assert (world.lines()[1:], held("suspense:stripe")) == ([("refund", "matched", -4_000)], 0)
    assert world.compared() == (5_680, 5_680, 0, 0)
    with pytest.raises(WrongState):
        approve(world, approval, world.staff())


def unread_refund(world: Books) -> StatementLine:
    """A refund made in the dashboard, of which only the statement is known."""
    job = world.funded()
    world.read_all()
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="4000")
    world.open_unread("/v1/refunds/*")
    return StatementLine.objects.get(kind="refund")
