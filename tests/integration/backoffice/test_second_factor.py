"""The second factor of the staff: nobody comes in without it, and nothing is done without a fresh proof."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.payments.authorization import approvals
from multitask.payments.escrow import disputes
from multitask.payments.losses import adjustments, late_refunds
from multitask.payments.models import Adjustment, Approval, Receivable, Refund, Reversal
from multitask.users import second_factor
from multitask.users.actor import NEEDS_FRESH_PROOF, Actor, Power
from multitask.users.models import User
from multitask.web.backoffice.registry import ACTIONS
from tests import staff
from tests.integration.backoffice import addresses, ending_scenes, scenes
from tests.integration.backoffice.carrying_out import STALE, require_code_and_go_on
from tests.integration.destinations import payees
from tests.integration.payments.test_chart_of_accounts import refund_to_retry
from tests.payments_world import World, dollars, user_id

Browser = Callable[[Actor], Client]
Scene = Callable[[World], tuple[int | None, dict[str, Any]]]
PASSWORD = "a long enough passphrase"
# Those of payout budgets, and of a provider that redirects, have a test beside their provider.
OF_BUDGETS = {
    "record-settlement", "record-top-up", "compare-budget", "correct-record", "look-up-payout", "payout-was-paid",
    "payout-was-not-made", "call-off-withdrawal", "explain-paid", "name-try", "record-costs",
    "record-credit",
}  # fmt: skip
WANTED = "/backoffice/payments/escrow/?state=funded"


@pytest.fixture
def boss(world: World) -> User:
    """An administrator who has a password and no second factor yet."""
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
    return browser


def test_whoever_has_none_is_led_to_where_it_is_switched_on_and_back(boss: User) -> None:
    inside = signed_in(boss)
    led = inside.get(WANTED)
    assert led.status_code == 302
    assert led["Location"].startswith("/security/?next=%2Fbackoffice%2Fpayments%2Fescrow%2F")
    page = inside.get(led["Location"]).content.decode()
    assert "Staff needs two-step sign-in for the back office." in page

    inside.post("/security/begin/", {"current": PASSWORD})
    device = TOTPDevice.objects.get(user=boss)
    confirmed = inside.post("/security/confirm/", {"otp": staff.totp(device.bin_key, timezone.now().timestamp())})
    assert f'href="{WANTED}"' in confirmed.content.decode()
    assert inside.get(WANTED).status_code == 200


def test_a_session_that_was_not_proved_is_asked_for_a_code_and_led_back(boss: User) -> None:
    staff.enrol(boss)
    inside = signed_in(boss)
    led = inside.get(WANTED)
    assert led["Location"].startswith("/security/prove/?next=%2Fbackoffice%2F")
    assert "The back office asks for a code from your app first." in inside.get(led["Location"]).content.decode()
    proved = inside.post(led["Location"], {"otp": staff.code(boss.pk), "next": WANTED})
    assert proved["Location"] == WANTED
    assert inside.get(WANTED).status_code == 200


def test_a_second_factor_that_was_switched_off_proves_no_session_any_more(boss: User) -> None:
    inside = signed_in(boss)
    staff.prove(inside, boss)
    assert inside.get("/backoffice/").status_code == 200
    second_factor.switch_off(actor=Actor.of(boss), now=timezone.now(), code=staff.code(boss.pk))
    assert inside.get("/backoffice/")["Location"].startswith("/security/?")
    staff.enrol(boss)
    assert inside.get("/backoffice/")["Location"].startswith("/security/prove/?")


def test_no_page_and_no_action_opens_without_it(world: World, boss: User) -> None:
    scenes.failed_withdrawal(world)
    inside = signed_in(boss)
    seen = [*addresses.FIXED, *addresses.lists(), *addresses.rows(), *addresses.actions().values()]
    for address in seen:
        assert inside.get(address)["Location"].startswith("/security/?next="), address
    for address in addresses.actions().values():
        assert inside.post(address, {"note": "Now"})["Location"].startswith("/security/?next="), address


def test_elsewhere_such_a_person_is_like_everybody_else(world: World, boss: User) -> None:
    job = world.funded()
    inside = signed_in(boss)
    assert inside.get("/").status_code == 200
    assert inside.get(f"/tasks/{job.task_id}/").status_code == 404


# -- each action asks for a code when the last proof is too old


def of_escrow(world: World) -> tuple[int, dict[str, str]]:
    return world.funded().escrow.pk, {}


def refunding(world: World) -> tuple[int, dict[str, str]]:
    return world.funded().escrow.pk, {"amount": "30.00", "reason": "agreed"}


def settling(world: World) -> tuple[int, dict[str, str]]:
    return scenes.disputed(world)[1].pk, {"client_amount": "40.00", "freelancer_amount": "60.00"}


def requested(world: World) -> tuple[int, dict[str, str]]:
    job = world.started()
    world.refund(job)
    return job.refund.pk, {}


def failed(world: World) -> tuple[int, dict[str, str]]:
    return scenes.failed_refund(world).refund.pk, {}


def failed_after_release(world: World) -> tuple[int, dict[str, str]]:
    return refund_to_retry(world).refund.pk, {}


def refused(world: World) -> tuple[int, dict[str, str]]:
    return scenes.refused_transfer(world)[0].escrow.pk, {}


def under_review(world: World) -> tuple[int, dict[str, str]]:
    return scenes.payment_under_review(world).payment.pk, {}


def waiting(world: World) -> tuple[int, dict[str, str]]:
    _job, dispute = scenes.disputed(world, scenes.LARGE)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=scenes.LARGE, freelancer_amount=dollars("0"),
        note="Nothing was delivered", now=world.now,
    )  # fmt: skip
    return Approval.objects.get().pk, {}


def stuck(world: World) -> tuple[int, dict[str, str]]:
    return scenes.stuck_transfer(world).transfer.pk, {}


def sweeping(world: World) -> tuple[None, dict[str, str]]:
    scenes.stuck_transfer(world)
    return None, {}


def told(world: World) -> tuple[int, dict[str, str]]:
    return scenes.event(world).pk, {}


def somebody(world: World) -> tuple[int, dict[str, str]]:
    return user_id(world.client()), {"staff_role": "support"}


def account(world: World) -> tuple[int, dict[str, str]]:
    return user_id(world.client()), {}


def protected(world: World) -> tuple[int, dict[str, str]]:
    person = User.objects.get(pk=user_id(world.client()))
    staff.enrol(person)
    return person.pk, {}


def unexplained(world: World) -> tuple[int, dict[str, str]]:
    return scenes.open_line(world).pk, {"explanation": "adjustment"}


def contested(world: World) -> tuple[int, dict[str, str]]:
    return scenes.contested(world).pk, {}


def editing(world: World) -> tuple[int, dict[str, str]]:
    return scenes.contested(world).pk, {"service": "A round logo"}


def lost(world: World) -> tuple[int, dict[str, str]]:
    return scenes.contested(world, verdict="lost").pk, {}


def filing(world: World) -> tuple[int, dict[str, Any]]:
    file = SimpleUploadedFile("receipt.pdf", b"%PDF-1.7 a receipt")
    return scenes.contested(world).pk, {"document": "receipt", "file": file}


def filed(world: World) -> tuple[int, dict[str, str]]:
    return scenes.evidence_file(world).pk, {}


def suspected(world: World) -> tuple[int, dict[str, str]]:
    return scenes.suspected(world).pk, {}


def giving_back(world: World) -> tuple[int, dict[str, str]]:
    return world.settled().escrow.pk, {"reason": "agreed", "amount": "100.00", "previewed": "0-8500-1500-0-0"}


def given_back_in_vain(world: World) -> tuple[int, dict[str, str]]:
    job = world.settled()
    refund = late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
    )
    assert isinstance(refund, Refund)
    world.work()
    refund.refresh_from_db()
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    return world.learn_of_refund(refund).pk, {}


def reversed_outside(world: World) -> tuple[int, dict[str, str]]:
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
    world.hear()
    return Reversal.objects.get().pk, {}


def adjusting(world: World) -> tuple[int, dict[str, str]]:
    person = user_id(world.settled().freelancer)
    return person, {"sign": "against", "written": "5.00", "currency": "USD"}


def owing(world: World) -> tuple[int, dict[str, str]]:
    scenes.reversal_and_debt(world)
    return Receivable.objects.get().pk, {}


def adjustment_refused(world: World) -> tuple[int, dict[str, str]]:
    person, patch = user_id(world.settled().freelancer), scenes.refusing(adjustments.TransferAdjustment)
    asked = adjustments.adjust(
        actor=world.staff(), user_id=person, amount=dollars("5.00"), note="Our mistake", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    patch.undo()
    return Adjustment.objects.get().pk, {}


def identified(world: World) -> tuple[int, dict[str, str]]:
    return payees.submit(payees.payee(), at=timezone.now()).pk, {"national_id": payees.NATIONAL_ID}


SCENES: dict[str, Scene] = {
    "refund-by-bank": failed_after_release,
    "retry-reversal": ending_scenes.reversal_refused,
    "give-up-reversal": ending_scenes.reversal_given_up,
    "withdrawal-was-paid": ending_scenes.from_closed,
    "withdrawal-was-not-paid": ending_scenes.from_closed,
    "record-paid-out": ending_scenes.in_closed,
    "refund-was-paid": lambda world: (ending_scenes.undecided(world)[0], {"provider_refund_id": "re_found"}),
    "refund-was-not-made": ending_scenes.undecided,
    "dismiss-webhook": told,
    "retry-adjustment": adjustment_refused,
    "confirm-identity": identified,
    "reject-identity": lambda world: (identified(world)[0], {}),
    "refund-released": giving_back,
    "give-up-refund": given_back_in_vain,
    "transfer-again": reversed_outside,
    "refund-reversed": reversed_outside,
    "adjust": adjusting,
    "write-off": owing,
    "release": of_escrow,
    "refund": refunding,
    "settle": settling,
    "accept-refund": requested,
    "refuse-refund": requested,
    "retry-refund": failed,
    "retry-transfer": refused,
    "return-payment": under_review,
    "edit-evidence": editing,
    "add-evidence-file": filing,
    "remove-evidence-file": filed,
    "submit-evidence": contested,
    "accept-chargeback": contested,
    "book-loss": lost,
    "refund-warning": suspected,
    "close-warning": suspected,
    "approve": waiting,
    "turn-down": waiting,
    "retry-call": stuck,
    "retry-overdue-calls": sweeping,
    "replay": told,
    "explain-line": unexplained,
    "staff-role": somebody,
    "close-account": account,
    "reopen-account": account,
    "second-factor-off": protected,
}


def all_forms(form: type[forms.Form] = forms.Form) -> Iterator[type[forms.Form]]:
    """All forms of the site."""
    for kind in form.__subclasses__():
        yield kind
        yield from all_forms(kind)


def test_only_actions_take_files() -> None:
    """Their forms are sent below with a file; another page that takes files needs a test of its own."""
    takes_file = [
        form for form in all_forms() if any(isinstance(f, forms.FileField) for f in form.base_fields.values())
    ]
    own = {form.__module__ for form in takes_file if form.__module__.startswith("multitask.")}
    assert own == {"multitask.web.backoffice.chargebacks.forms", "multitask.web.backoffice.payouts.budget_forms"}


def test_the_scenes_are_those_of_all_actions() -> None:
    assert SCENES.keys() | OF_BUDGETS == ACTIONS.keys()


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_action_asks_for_a_code_when_the_last_is_too_old_and_then_goes_on(
    world: World, browser: Browser, name: str
) -> None:
    require_code_and_go_on(world, browser, name, *SCENES[name](world))


def test_a_code_is_not_used_up_by_a_form_that_lacks_something_else(world: World, browser: Browser) -> None:
    finance, job = world.staff(), world.funded()
    inside, user = browser(finance), User.objects.get(pk=user_id(finance))
    staff.prove(inside, user, timezone.now() - STALE)
    code = staff.code(user.pk)
    address = addresses.action("release", job.escrow.pk)
    assert inside.post(address, {"note": "", "otp": code}).status_code == 422
    assert inside.post(address, {"note": "Right", "otp": code}).status_code == 302
    assert job.escrow.state == "released"


def test_the_powers_of_all_actions_need_a_fresh_proof() -> None:
    # Who may decide depends on the kind of the decision.
    decisions = {"approve", "turn-down"}
    assert (
        {action.power for name, action in ACTIONS.items() if name not in decisions}
        <= NEEDS_FRESH_PROOF
        == frozenset(Power) - {Power.READ_ANY}
    )


def test_the_page_of_the_security_settings_leads_nowhere_else(boss: User) -> None:
    inside = signed_in(boss)
    inside.get("/security/?next=https://example.org/")
    inside.post("/security/begin/", {"current": PASSWORD})
    device = TOTPDevice.objects.get(user=boss)
    confirmed = inside.post("/security/confirm/", {"otp": staff.totp(device.bin_key, timezone.now().timestamp())})
    [link] = re.findall(r'<a class="button" href="([^"]+)"', confirmed.content.decode())
    assert link == "/"
