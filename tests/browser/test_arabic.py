"""The pages in Arabic: from the right to the left, in Arabic words, with amounts and dates as Arabic has them."""

import re

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.acceptance.system import System
from tests.browser import pages
from tests.browser.conftest import NewPerson
from tests.browser.visits import visits

pytestmark = pytest.mark.django_db
ARABIC = re.compile("[\u0600-\u06ff]{3}")
# What the page says, without numbers of things and without the names of time zones and currencies.
TEXT = """() => {
  const main = document.querySelector("main").cloneNode(true);
  for (const part of main.querySelectorAll("select, .mono, .o-mono, [lang=en], svg")) part.remove();
  return main.textContent;
}"""
# All that is visible on a page of the back office, but for the provider's own words, which say so, and icons, which are
# spelled out in a font.
OFFICE_TEXT = """() => {
  const left = "select, .o-mono, [lang=en], svg, .material-symbols-outlined";
  for (const part of document.querySelectorAll(left)) part.remove();
  return document.body.innerText;
}"""
LATIN_WORD = re.compile(r"\b[a-z]{4,}\b")
# Where somebody came from is no word in any language, though a part of an address may be spelled in letters alone.
IPV6 = re.compile(r"\b[0-9a-f]{1,4}(:[0-9a-f]{0,4}){2,7}\b")


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


def test_staff_who_choose_arabic_read_arabic(system: System, new_person: NewPerson) -> None:
    scene = pages.prepare(system)
    left = {}
    for title, person in visits(scene, new_person, language="ar"):
        if not title.startswith("office"):
            continue
        expect(person.page.locator("html")).to_have_attribute("dir", "rtl")
        texts = IPV6.sub("", str(person.page.evaluate(OFFICE_TEXT)))
        people = [
            one.name for story in (scene.paid, scene.asked, scene.unpaid) for one in (story.client, story.freelancer)
        ]
        for known in (*people, scene.staff, "A logo", "example.com", "The colours differ from the draft."):
            texts = texts.replace(known, "")
        if words := set(LATIN_WORD.findall(texts)):
            left[title] = words
    assert not left, left
