"""Payout details on a phone, without scripts, in both languages."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import PASSWORD, Story
from tests.browser.conftest import NewPerson
from tests.browser.person import PHONE

pytestmark = pytest.mark.django_db

WORDS = {
    "en": {
        "wallet": "Add a mobile wallet",
        "issuer": "Wallet",
        "msisdn": "Mobile number of the wallet",
        "password": "Your password",
        "save": "Save",
        "complaint": "An Egyptian mobile number has 11 digits",
        "name": "Enter name and number",
        "legal_name": "Your legal name",
        "national_id": "National ID number",
        "remove": "Remove",
        "really": "Remove it",
        "removed": "Removed. Nothing is paid out there any more.",
    },
    "ar": {
        "wallet": "أضف محفظة إلكترونية",
        "issuer": "المحفظة",
        "msisdn": "رقم موبايل المحفظة",
        "password": "كلمة مرورك",
        "save": "حفظ",
        "complaint": "رقم الموبايل المصري مكوّن من 11 رقمًا",
        "name": "أدخل الاسم والرقم القومي",
        "legal_name": "اسمك القانوني",
        "national_id": "الرقم القومي",
        "remove": "إزالة",
        "really": "احذفها",
        "removed": "تم الحذف. لن يُصرف إليها شيء بعد الآن.",
    },
}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_payout_details_are_entered_and_removed_on_a_phone_without_scripts(
    story: Story, new_person: NewPerson, language: str
) -> None:
    words = WORDS[language]
    story.system.query(
        "UPDATE users_user SET email_confirmed_at = now(), language = %s WHERE id = %s", language, story.freelancer.id
    )
    mona = new_person(java_script_enabled=False, viewport=PHONE, language=language).sign_in(story.freelancer.name)
    page = mona.open("/payout-details/")

    mona.follow(words["wallet"])
    page.get_by_label(words["issuer"], exact=True).select_option("vodafone")
    page.get_by_label(words["msisdn"]).fill("٠١٠١٢٣٤")
    page.get_by_label(words["password"]).fill(PASSWORD)
    mona.press(words["save"])
    mona.sees(words["complaint"])
    page.get_by_label(words["msisdn"]).fill("٠١٠ ١٢٣٤ ٥٦٧٨")
    page.get_by_label(words["password"]).fill(PASSWORD)
    mona.press(words["save"])
    mona.sees("•••• 678")

    mona.follow(words["name"])
    page.get_by_label(words["legal_name"]).fill("منى عادل حسن")
    page.get_by_label(words["national_id"]).fill("٢٩٠٠١٠١٠١١٢٣٤٥")
    page.get_by_label(words["password"]).fill(PASSWORD)
    mona.press(words["save"])
    mona.sees("•••• 2345")
    mona.sees("م••• ع••• ح•••")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    mona.follow(words["remove"])
    page.get_by_label(words["password"]).fill(PASSWORD)
    mona.press(words["really"])
    mona.sees(words["removed"])
    expect(page.get_by_text("•••• 678")).to_have_count(0)
    found = story.system.query(
        "SELECT state, masked_number FROM payments_payeeidentity WHERE user_id = %s", story.freelancer.id
    )
    assert found == [("submitted", "•••• 2345")]
