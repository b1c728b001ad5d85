"""The Egyptian story in two phones and the back office: paid by card, and paid out at the second try."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.acceptance.system import eventually
from tests.browser.conftest import NewPerson
from tests.browser.egypt import people
from tests.browser.egypt.conftest import OnPhone
from tests.browser.egypt.people import edges, pounds
from tests.browser.egypt.system import EgyptSystem
from tests.browser.person import Person
from tests.staff import hire as employ

pytestmark = pytest.mark.django_db
NATIONAL_ID = "29001011234567"
NATIONAL_ID_ON_A_PHONE = "٢٩٠٠١٠١١٢٣٤٥٦٧"
# How a payout ends there is in the last seven digits of the wallet's number.
NOBODYS_WALLET, OWN_WALLET = "٠١٠٠ ٠٠٠ ٠٠٠٣", "01000000001"


def staff(system: EgyptSystem, new_person: NewPerson, role: str) -> Person:
    """Return somebody of the staff at a desk, who reads English."""
    name = Story(system).client.name
    employ(system, name, role)
    return new_person().sign_in(name)


def test_a_task_is_paid_by_card_and_its_freelancer_is_paid_at_the_second_try(
    system: EgyptSystem, on_phone: OnPhone, new_person: NewPerson
) -> None:
    mona, omar = on_phone(), on_phone()
    people.register(mona, "mona", "أوظّف مستقلين")
    people.register(omar, "omar", "أعمل مستقلًا")
    people.hire(mona, omar, f"شعار لمطعم {mona.name}", "١٬٠٠٠")

    _pay_by_card(system, mona)
    _deliver_and_release(mona, omar)
    _give_payout_details(omar)
    _confirm_identity(staff(system, new_person, "support"), omar)
    _withdraw_while_the_wallet_is_new(omar)
    _fill_budget(system, staff(system, new_person, "finance"))
    _fail(system, omar)
    _correct_and_try_again(system, omar)

    payouts = system.paymob.control("GET", "money")["payouts"]
    assert [(payout["amount"], payout["status"]) for payout in payouts] == [(85_000, "failed"), (85_000, "successful")]


def _pay_by_card(system: EgyptSystem, mona: Person) -> None:
    people.go_to_the_provider(mona)
    system.paymob.add_fault("webhook_lost")  # so that she is back before the provider has confirmed it
    people.give_card(mona)
    people.give_code(mona)
    mona.sees("ننتظر التأكيد")
    mona.sees("لم تُؤكد بعد")
    people.fits(mona)
    system.paymob.clear_faults()
    system.paymob.resend()
    mona.sees("مالك في الضمان")
    mona.follow("عرض الدفعة")
    amount = mona.page.locator(".hero-amount").first
    expect(amount).to_have_text(pounds(100_000))
    # She reads "ج.م 1,000.00" with the currency at the left of the number.
    assert edges(amount, "ج.م")[1] <= edges(amount, r"1,000\.00")[0]
    people.fits(mona)


def _deliver_and_release(mona: Person, omar: Person) -> None:
    omar.page.reload()
    omar.follow("سلّم العمل")
    omar.press("سلّم العمل")
    omar.sees("تم التسليم. طُلب من العميل التأكيد.")
    people.fits(omar)
    mona.page.reload()
    mona.follow("أكّد وأفرج عن")
    people.fits(mona)
    mona.press("أكّد وأفرج عن")
    mona.sees("تم التأكيد والإفراج.")
    people.fits(mona)


def _give_payout_details(omar: Person) -> None:
    omar.open("/")
    omar.follow("المحفظة")
    people.fits(omar)
    omar.follow("أكمل بيانات السحب")
    omar.sees("أدخل اسمك القانوني ورقمك القومي.")
    omar.sees("اختر أين تريد أن تستلم أموالك.")
    people.identify(omar, NATIONAL_ID_ON_A_PHONE)
    omar.sees("اختر أين تريد أن تستلم أموالك.")
    people.add_wallet(omar, NOBODYS_WALLET)
    omar.sees("يتحقق فريقنا من هويتك")
    omar.open("/wallet/withdraw/")
    omar.sees("يمكنك السحب فور الانتهاء، وسنراسلك.")
    people.fits(omar)


def _confirm_identity(support: Person, omar: Person) -> None:
    support.open("/backoffice/")
    support.follow("Identities")
    support.follow(omar.name)
    support.follow("Confirm the identity")
    shown = support.page.locator("dd", has_text="ع•••")
    # The name stands in the order of its own script.
    assert edges(shown, "ع")[0] > edges(shown, "ح")[0]
    assert edges(shown, "ح•+")[0] < edges(shown, "ح")[0]
    support.page.get_by_label("National ID number on the document").fill(NATIONAL_ID)
    support.page.get_by_label("Reason").fill("Seen on a video call.")
    support.press("Confirm the identity")
    support.sees("The identity is confirmed.")


def _withdraw_while_the_wallet_is_new(omar: Person) -> None:
    omar.open("/payout-details/")
    omar.sees("تُصرف عمليات السحب ابتداءً من")
    expect(omar.page.get_by_text("مطلوب")).to_have_count(0)
    omar.open("/wallet/")
    omar.page.locator(".wallet").get_by_role("link", name="سحب").click()
    people.withdraw(omar, "٨٥٠")
    omar.sees("بانتظار الصرف")
    omar.sees("يُصرف في")
    omar.sees("حفاظًا على أموالك، ينتظر السحب إلى بيانات جديدة مهلة محددة.")
    expect(omar.page.locator(".hero-amount")).to_have_text(pounds(85_000))
    people.fits(omar)


def _fill_budget(system: EgyptSystem, finance: Person) -> None:
    system.paymob.control("POST", "topups", {"amount": 500_000})
    system.run("compare_budgets", "polls")
    eventually(lambda: system.query("SELECT id FROM payments_payoutbudget"), "the budget to be known")
    finance.open("/backoffice/")
    finance.follow("Payout budgets")
    finance.page.locator("tr a").first.click()
    finance.follow("Record a top-up")
    finance.page.get_by_label("Amount").fill("5,000.00")
    finance.page.get_by_label("Reference").fill("TOPUP-1")
    finance.press("Record a top-up")
    finance.sees("The top-up is recorded")


def _fail(system: EgyptSystem, omar: Person) -> None:
    system.end_cool_downs(omar.name)
    system.run("allot_budgets", "deadlines")
    expect(omar.page.get_by_text("تعذّر صرفه")).to_be_visible(timeout=90_000)  # The page looks again by itself.
    omar.sees("لا توجد محفظة مسجلة بهذا الرقم.")
    omar.sees("المبلغ متاح في محفظتك من جديد")
    people.fits(omar)


def _correct_and_try_again(system: EgyptSystem, omar: Person) -> None:
    failed = omar.page.url
    omar.follow("راجع بيانات السحب")
    people.add_wallet(omar, OWN_WALLET)
    system.end_cool_downs(omar.name)
    omar.open(failed)
    omar.follow("حاول مجددًا")
    omar.sees("•••• 001")
    people.withdraw(omar)
    omar.sees("تم الصرف")
    people.fits(omar)
    omar.open("/wallet/")
    expect(omar.page.locator(".hero-amount")).to_have_text(pounds(0))
    newest = omar.page.locator("section[aria-labelledby=latest-title] li").first
    expect(newest).to_contain_text(pounds(85_000, "\u2212"))
    assert edges(newest, "\u2212")[1] <= edges(newest, r"850\.00")[0]
    people.fits(omar)
