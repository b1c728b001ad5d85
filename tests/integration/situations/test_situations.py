"""Plays every situation in which money goes wrong, and writes docs/money-that-goes-wrong.md.

Each ends with the ledger's provider accounts equal to what the offline provider recorded, with states and pages that
are true, and with nobody else's money held. `UPDATE_DOCS=1` writes the page again.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from multitask.ledger.models import Entry, Transaction
from multitask.payments.authorization import access
from multitask.payments.models import Escrow
from multitask.users.actor import Actor
from multitask.web.pages.escrow import next_steps
from tests import provider_money
from tests.integration.pages.reading import text_of
from tests.integration.payments.chart_accounts import name_of
from tests.integration.situations.account_situations import ACCOUNT_SITUATIONS
from tests.integration.situations.outside_situations import OUTSIDE_SITUATIONS
from tests.integration.situations.payment_situations import PAYMENT_SITUATIONS
from tests.integration.situations.refund_situations import RELEASE_SITUATIONS
from tests.integration.situations.situations import CHARGEBACK_SITUATIONS, Situation
from tests.payments_world import Job, World

SITUATIONS = (
    *CHARGEBACK_SITUATIONS,
    *RELEASE_SITUATIONS,
    *OUTSIDE_SITUATIONS,
    *ACCOUNT_SITUATIONS,
    *PAYMENT_SITUATIONS,
)
PAGE = Path(__file__).parents[3] / "docs" / "money-that-goes-wrong.md"
HEAD = """\
# Money that goes wrong

Tests write this page (`tests/integration/situations`; `UPDATE_DOCS=1` writes it again): each situation is played
against the offline Stripe, and ends with the ledger's provider accounts equal to the provider's own record, and with
nobody else's money held. A task costs 100.00 US dollars, of which 15.00 is the fee.
"""

SignIn = Callable[[Actor], Client]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_what_happens_is_booked_shown_and_holds_nothing_else(
    situation: Situation, world: World, sign_in: SignIn
) -> None:
    before = provider_money.theirs(world.sandbox.money()).get("platform", {})
    job = situation.begin(world)
    other = world.funded(freelancer=job.freelancer)
    known = set(Transaction.objects.values_list("pk", flat=True))

    situation.happen(world, job)

    escrow = job.escrow
    assert (escrow.state, escrow.frozen_at is not None) == (situation.state, situation.is_held)
    assert (other.escrow.state, other.escrow.frozen_at, other.escrow.contested_minor) == ("funded", None, 0)
    require_equal_to_the_provider(world, before)
    compare_with_page(section(situation, world, job, known, sign_in), situation)


def require_equal_to_the_provider(world: World, before: dict[str, int]) -> None:
    """Compare the ledger with the provider's record; the platform's account is shared with other tests."""
    theirs = provider_money.theirs(world.sandbox.money())
    platform = theirs.pop("platform", {})
    moved = {name: platform.get(name, 0) - before.get(name, 0) for name in platform.keys() | before.keys()}
    theirs["platform"] = {currency: amount for currency, amount in moved.items() if amount}
    assert provider_money.ours() == {owner: sums for owner, sums in theirs.items() if sums}


def section(situation: Situation, world: World, job: Job, known: set[object], sign_in: SignIn) -> str:
    """The page's section on one situation, as everybody sees it now."""
    staff = world.staff()
    lines = [
        f"### {situation.title}",
        "",
        f"The escrow is {job.escrow.state.replace('_', ' ')}"
        + (" and held by a chargeback." if situation.is_held else "."),
        "",
        "| who | sees |",
        "|---|---|",
        f"| client | {seen_by(world, job, job.client, sign_in)} |",
        f"| freelancer | {seen_by(world, job, job.freelancer, sign_in).rstrip('.')}. {wallet_of(world, job)} |",
        f"| staff can | {', '.join(offered_to_staff(staff, job, sign_in)) or 'nothing more'} |",
        "",
        *postings_since(known),
    ]
    return "\n".join(lines)


def seen_by(world: World, job: Job, reader: Actor, sign_in: SignIn) -> str:
    """What a side reads on the payment page: the next step, which has to be there; `{date}` stands for its date."""
    shown = text_of(sign_in(reader).get(f"/tasks/{job.task_id}/payment/"))
    assert not re.search(r"\b[a-z]+_[a-z_]+\b", shown.partition("CSRF")[0]), shown
    escrow = access.escrow(reader, job.escrow.pk)
    step = next_steps.of(escrow, reader, escrow.refunds.filter(state__in=["requested", "pending"]).first())
    if step is None:
        return "nothing to do"
    assert step.text in shown.replace("&#x27;", "'")
    return f"{step.text} {{date}}" if step.at else step.text


def wallet_of(world: World, job: Job) -> str:
    """The freelancer's balances; the other escrow of the same freelancer is funded and not held."""
    wallet = world.wallet(job.freelancer, job.escrow.currency)
    return f"Wallet: {wallet.pending.to_major_string()} pending, {wallet.available.to_major_string()} available."


def offered_to_staff(staff: Actor, job: Job, sign_in: SignIn) -> list[str]:
    """The buttons of the pages of the escrow and its chargebacks in the back office."""
    cases = job.escrow.chargebacks.order_by("pk").values_list("pk", flat=True)
    found: list[str] = []
    for page in (f"escrow/{job.escrow.pk}", *(f"chargeback/{case}" for case in cases)):
        answer = sign_in(staff).get(f"/backoffice/payments/{page}/change/")
        assert answer.status_code == 200, answer.status_code
        found += re.findall(r'<a[^>]*href="/backoffice/do/[^"]*"[^>]*>\s*(.*?)\s*</a>', answer.content.decode(), re.S)
    return list(dict.fromkeys(re.sub(r"<[^>]+>", "", name).strip() for name in found))


def postings_since(known: set[object]) -> list[str]:
    """The ledger transactions since the situation began, as one table."""
    rows = ["| posting | account | debit | credit |", "|---|---|---:|---:|"]
    fresh = Transaction.objects.exclude(pk__in=known).order_by("created_at", "pk")
    for posted in fresh:
        entries = Entry.objects.filter(transaction=posted).select_related("account").order_by("position")
        for number, entry in enumerate(entries):
            amount = f"{abs(entry.amount_minor) / 100:.2f}"
            debit, credit = (amount, "") if entry.amount_minor < 0 else ("", amount)
            kind = f"`{posted.kind}`" if number == 0 else ""
            rows.append(f"| {kind} | `{name_of(entry.account.code)}` | {debit} | {credit} |")
    return rows


def compare_with_page(found: str, situation: Situation) -> None:
    """Require the committed section, or write it."""
    sections = read_page()
    if os.environ.get("UPDATE_DOCS"):
        write_page(sections | {situation.title: found})
        return
    assert sections.get(situation.title) == found


def read_page() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    parts = re.split(r"^(?=### |## )", PAGE.read_text(), flags=re.M)
    return {part.partition("\n")[0].removeprefix("### "): part.strip() for part in parts if part.startswith("### ")}


def write_page(sections: dict[str, str]) -> None:
    lines, group = [HEAD], ""
    for situation in SITUATIONS:
        if situation.title not in sections:
            continue
        if situation.group != group:
            group = situation.group
            lines.append(f"## {group}\n")
        lines.append(sections[situation.title] + "\n")
    PAGE.write_text("\n".join(lines))


def test_the_page_has_every_situation_and_no_other() -> None:
    assert list(read_page()) == [situation.title for situation in SITUATIONS]


def test_escrows_of_every_state_are_reached() -> None:
    assert {situation.state for situation in SITUATIONS} <= set(dict(Escrow._meta.get_field("state").flatchoices))
