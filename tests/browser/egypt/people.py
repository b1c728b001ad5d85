"""What people in Egypt do on their phones: in Arabic, with the words that the pages show them."""

import uuid
from typing import Any

from playwright.sync_api import Locator, expect

from multitask.money import Money
from tests.acceptance.story import PASSWORD
from tests.browser.person import PHONE, Person

# What the offline Paymob takes: the code of every bank and wallet, a card that asks for it, and the only wallet.
CODE = "123456"
CARD = "5123 4567 8901 2346"
WALLET = "01010101010"
DATE = "[0-9\u200f/]{8,}"
# Where a text stands on the screen: the left and the right edge of its first occurrence, in pixels.
EDGES = """(element, pattern) => {
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const found = new RegExp(pattern).exec(node.data);
    if (!found) continue;
    const range = document.createRange();
    range.setStart(node, found.index);
    range.setEnd(node, found.index + found[0].length);
    const place = range.getBoundingClientRect();
    return [place.left, place.right];
  }
}"""


def on_a_phone() -> dict[str, Any]:
    """Return the options of a browser on a phone in Cairo whose owner reads Arabic."""
    return {"language": "ar", "locale": "ar-EG", "timezone_id": "Africa/Cairo", "viewport": PHONE, "has_touch": True}


def pounds(amount_minor: int, sign: str = "") -> str:
    """Return how an amount is written in Arabic."""
    return Money(amount_minor, "EGP").localized("ar", sign)


def edges(element: Locator, pattern: str) -> tuple[float, float]:
    """Return where the text that fits a pattern begins and ends on the screen, from the left."""
    left, right = element.evaluate(EDGES, pattern)
    return left, right


def fits(person: Person) -> None:
    """Assert that the page is in Arabic, from the right to the left, and not wider than the screen."""
    expect(person.page.locator("html")).to_have_attribute("lang", "ar")
    expect(person.page.locator("html")).to_have_attribute("dir", "rtl")
    assert person.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


# -- before any money moves


def register(person: Person, name: str, wish: str) -> None:
    """Create an account, which has the currency of the phone's time zone; the email address is confirmed."""
    page, person.name = person.page, f"{name}{uuid.uuid4().hex[:4]}"
    person.open("/")
    page.get_by_role("banner").get_by_role("link", name="إنشاء حساب").click()
    page.get_by_label("اسم المستخدم").fill(person.name)
    page.get_by_label("البريد الإلكتروني").fill(f"{person.name}@example.org")
    page.get_by_label("كلمة المرور").fill(PASSWORD)
    page.get_by_label(wish).check()
    person.press("أنشئ الحساب")
    expect(page.locator("a.me")).to_contain_text(person.name)
    person.system.query("UPDATE users_user SET email_confirmed_at = now() WHERE username = %s", person.name)
    person.open("/profile/")
    expect(page.get_by_label("العملة")).to_have_value("EGP")
    person.press("حفظ")
    person.sees("تم الحفظ")
    fits(person)


def hire(client: Person, freelancer: Person, title: str, price: str) -> None:
    """Post, apply, accept: both end at the task."""
    client.open("/")
    client.follow("انشر مهمة")
    client.page.get_by_label("العنوان").fill(title)
    client.page.get_by_label("المطلوب إنجازه").fill("ثلاث مسودات، ثم النسخة النهائية بصيغة SVG.")
    client.page.get_by_label("الميزانية بعملة EGP").fill(price)
    client.press("انشر المهمة")
    freelancer.open("/")
    freelancer.follow("المهام")
    freelancer.follow("المهام المفتوحة")
    fits(freelancer)
    about = freelancer.page.locator("li", has_text=title).locator(".small")
    # The name is read first, and is not moved into the date.
    assert edges(about, DATE)[1] <= edges(about, client.name)[0]
    freelancer.follow(title)
    freelancer.page.get_by_label("لماذا أنت المناسب").fill("أصمم الشعارات منذ عشر سنوات.")
    freelancer.press("تقدّم لهذه المهمة")
    freelancer.sees("قدّمت طلبك.")
    fits(freelancer)
    client.page.reload()
    client.press(f"اقبل {freelancer.name}")
    client.sees("تم القبول.")
    fits(client)


# -- on the provider's page


def go_to_the_provider(client: Person) -> None:
    """Leave the task for the provider's page, which offers the ways to pay."""
    client.page.locator("form[action$='/pay/begin/'] button").click()
    client.sees("تدفع على صفحة مزوّد الدفع")
    fits(client)
    client.page.locator("main").get_by_role("link", name="ادفع").click()
    client.sees("اختر طريقة الدفع")
    fits(client)


def give_card(client: Person, *, save: bool = False) -> None:
    """Choose the card and type it, up to the bank's code; with `save` the provider may keep it."""
    client.follow("بطاقة بنكية")
    client.page.get_by_label("رقم البطاقة").fill(CARD)
    client.page.get_by_label("الاسم على البطاقة").fill("Mona Ali")
    client.page.get_by_label("تاريخ الانتهاء").fill("01 / 39")
    client.page.get_by_label("رمز الأمان").fill("123")
    if save:
        client.page.get_by_label("احفظ هذه البطاقة").check()
    client.press("ادفع")
    client.sees("يطلب منك البنك إدخال الرمز")
    fits(client)


def give_wallet(client: Person) -> None:
    """Choose the mobile wallet and type its number, up to its MPIN and code."""
    client.follow("محفظة إلكترونية")
    client.page.get_by_label("رقم الهاتف المرتبط بالمحفظة").fill(WALLET)
    client.press("ادفع")
    client.page.get_by_label("الرقم السري للمحفظة").fill(CODE)
    fits(client)


def give_code(client: Person) -> None:
    """Type the one-time code and confirm."""
    client.page.get_by_label("رمز التحقق").fill(CODE)
    client.press("تأكيد")


# -- being paid out


def identify(freelancer: Person, number: str) -> None:
    """Enter the legal name and the national id number, from the page that asks for them."""
    freelancer.follow("أدخل الاسم والرقم القومي")
    freelancer.page.get_by_label("اسمك القانوني").fill("عمر سعيد حسن")
    freelancer.page.get_by_label("الرقم القومي").fill(number)
    freelancer.page.get_by_label("كلمة مرورك").fill(PASSWORD)
    freelancer.press("حفظ")
    freelancer.sees("قيد التحقق")
    fits(freelancer)


def add_wallet(freelancer: Person, number: str) -> None:
    """Add a mobile wallet, from the page of the payout details."""
    freelancer.follow("أضف محفظة إلكترونية")
    freelancer.page.get_by_label("المحفظة", exact=True).select_option("vodafone")
    freelancer.page.get_by_label("رقم موبايل المحفظة").fill(number)
    freelancer.page.get_by_label("كلمة مرورك").fill(PASSWORD)
    fits(freelancer)
    freelancer.press("حفظ")
    freelancer.sees("تم الحفظ")
    fits(freelancer)


def withdraw(freelancer: Person, amount: str = "") -> None:
    """Withdraw from the form, in which the amount may stand already."""
    if amount:
        freelancer.page.get_by_label("المبلغ بعملة EGP").fill(amount)
    fits(freelancer)
    freelancer.press("متابعة")
    fits(freelancer)
    freelancer.press("اسحب")
