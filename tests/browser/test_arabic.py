"""The pages in Arabic: from the right to the left, in Arabic words, with amounts and dates as Arabic has them."""

import re

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson

pytestmark = pytest.mark.django_db
ARABIC = re.compile("[\u0600-\u06ff]{3}")
# What the page says, without numbers of things and without the names of time zones and currencies.
TEXT = """() => {
  const main = document.querySelector("main").cloneNode(true);
  for (const part of main.querySelectorAll("select, .mono, .o-mono, [lang=en], svg")) part.remove();
  return main.textContent;
}"""
LATIN_WORD = re.compile(r"\b[a-z]{4,}\b")


def test_a_visitor_chooses_arabic_and_pays_in_it(story: Story, new_person: NewPerson) -> None:
    story.hire()
    client = new_person()
    client.open("/")
    client.page.get_by_label("Language").select_option("ar")
    page = client.page

    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("h1")).to_have_text(ARABIC)
    page.get_by_role("banner").locator("a[href*='sign-in']").click()
    page.locator("[name=identifier]").fill(story.client.name)
    page.locator("[name=password]").fill("Correct-horse-9-battery")
    page.locator("main form button").click()
    page.locator("main form[action$='/pay/begin/'] button").click()
    expect(client.card().locator("html")).to_have_attribute("dir", "rtl")
    for name, typed in (("number", "4242424242424242"), ("expiry", "12 / 34"), ("cvc", "123")):
        client.card().locator(f"[name={name}]").fill(typed)
    page.locator("#pay").click()
    page.locator("#paid a.button").click()
    expect(page).to_have_url(re.compile("/payment/$"))
    expect(page.locator(".head .badge")).to_have_text(ARABIC)


def test_every_word_of_the_wallet_is_arabic(story: Story, new_person: NewPerson) -> None:
    story.to_work_done()
    story.release()
    story.until_available()
    freelancer = new_person(language="ar").sign_in(story.freelancer.name)
    for path in ("/", "/wallet/", "/transactions/", f"/tasks/{story.task}/payment/", "/onboarding/", "/profile/"):
        freelancer.open(path)
        expect(freelancer.page.locator("html")).to_have_attribute("lang", "ar")
        texts = str(freelancer.page.evaluate(TEXT))
        for known in (story.freelancer.name, story.client.name, "A logo", "example.com"):
            texts = texts.replace(known, "")
        left = set(LATIN_WORD.findall(texts))
        assert not left, f"{path}: {left}"
