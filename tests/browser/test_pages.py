"""Every page: accessible in both languages and themes, fit for a phone, light, and closed to strange scripts."""

import gzip
import re
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Frame, Page, Response

from tests.acceptance.system import System
from tests.browser import pages
from tests.browser.conftest import NewPerson
from tests.browser.pages import Scene
from tests.browser.person import DESKTOP, PHONE, Person
from tests.browser.visits import visits

pytestmark = pytest.mark.django_db
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Each frame is looked at by itself: axe-core does not find its way into one of another origin, and says so aloud.
# What is as it should be is counted, not described.
ALWAYS = {"iframes": False, "resultTypes": ["violations"]}
EVERYTHING = {"runOnly": {"type": "tag", "values": [*LEVELS, "best-practice"]}, **ALWAYS}
# Another theme changes colours and nothing else; another language changes anything but colours.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, **ALWAYS}
BUT_COLOURS = {**EVERYTHING, "rules": {"color-contrast": {"enabled": False}}}
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
HEAVIEST = 50_000
POLICY = ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'")


@pytest.fixture(scope="module")
def scene(system: System) -> Scene:
    return pages.prepare(system)


def test_every_page_is_accessible_in_both_themes_fits_every_screen_and_is_light_and_closed(
    scene: Scene, new_person: NewPerson
) -> None:
    found = []
    for title, person in visits(scene, new_person):
        person.page.emulate_media(color_scheme="light")
        found += [f"{title}: {told}" for told in violations(person.page, EVERYTHING)]
        person.page.emulate_media(color_scheme="dark")
        found += [f"{title}, dark: {told}" for told in violations(person.page, COLOURS)]
        found += [f"{title}: {told}" for told in overflows(person.page)]
        # The back office is read by staff at desks; its framework brings a font of its own, and no nonce.
        found += [f"{title}: {told}" for told in burdens(person, office=title.startswith("office"))]
    assert not found, "\n".join(found)


def test_what_nobody_could_read_is_found(new_person: NewPerson) -> None:
    page = new_person().page
    page.set_content('<main style="color: #ccc"><img src="/static/none.png">' + "Pale words in a wide row " * 40)
    page.add_style_tag(content="main { white-space: nowrap }")
    assert {told.split()[0] for told in violations(page, EVERYTHING)} >= {
        "image-alt",
        "color-contrast",
        "html-has-lang",
    }
    assert {told.split()[0] for told in violations(page, COLOURS)} == {"color-contrast"}
    assert not any("color" in told for told in violations(page, BUT_COLOURS))
    assert len(overflows(page)) == 2


def test_every_page_is_accessible_and_fits_every_screen_in_arabic_and_the_office_is_in_arabic(
    scene: Scene, new_person: NewPerson
) -> None:
    found = []
    for title, person in visits(scene, new_person, language="ar"):
        found += [f"{title}: {told}" for told in violations(person.page, BUT_COLOURS)]
        found += [f"{title}: {told}" for told in overflows(person.page)]
        if title.startswith("office"):
            found += [f"{title}: {word} is no Arabic word" for word in latin_words(person.page, scene)]
    assert not found, "\n".join(found)


def latin_words(page: Page, scene: Scene) -> set[str]:
    """Words of the product's own on an Arabic page of the back office that are not Arabic. It spoils the page."""
    assert page.locator("html").get_attribute("dir") == "rtl"
    texts = IPV6.sub("", str(page.evaluate(OFFICE_TEXT)))
    people = [
        one.name
        for story in (scene.paid, scene.asked, scene.unpaid, scene.done)
        for one in (story.client, story.freelancer)
    ]
    for known in (*people, scene.staff, "A logo", "example.com", "The colours differ from the draft.", "paymob"):
        texts = texts.replace(known, "")
    return set(LATIN_WORD.findall(texts))


def test_a_badge_below_a_name_is_as_wide_as_its_words(new_person: NewPerson) -> None:
    person = new_person().register("newcomer", "hire people")
    person.open("/profile/")
    badge = person.page.get_by_text("Not confirmed", exact=True)
    column = badge.locator("xpath=..")
    inner, outer = badge.bounding_box(), column.bounding_box()
    assert inner is not None
    assert outer is not None
    assert inner["width"] < outer["width"] / 2
    assert inner["x"] == outer["x"]


def overflows(page: Page) -> list[str]:
    """Return the screens on which the page scrolls sideways."""
    told = []
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            told.append(f"{over} px too wide at {size['width']}")
    page.set_viewport_size(DESKTOP)
    return told


def violations(page: Page, options: dict[str, Any]) -> list[str]:
    """Return axe-core's violations on the page and in its frames."""
    # Headings and landmarks are those of the page around a frame.
    runs_tags = options["runOnly"]["type"] == "tag"
    framed = {**options, "runOnly": {"type": "tag", "values": LEVELS}} if runs_tags else options
    return [
        f"{violation['id']} at {node['target']}: {node['failureSummary']}"
        for frame in page.frames
        for violation in looked_at(frame, framed if frame.parent_frame else options)
        for node in violation["nodes"][:3]
    ]


def looked_at(frame: Frame, options: dict[str, Any]) -> list[dict[str, Any]]:
    """What axe-core finds in a frame; it is loaded into a document once."""
    if not frame.evaluate("'axe' in window"):
        frame.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = frame.evaluate("async options => (await axe.run(options)).violations", options)
    return found


# What each static file weighs, found out once.
WEIGHTS: dict[str, int] = {}


def transferred(person: Person, url: str) -> int:
    """Bytes on the wire in production, where static files were compressed when they were collected.

    Asked for anew: what a browser has received is gone once its page turns.
    """
    if url not in WEIGHTS:
        body = person.context.request.get(url).body()
        if "/static/" not in url:
            return len(body)
        WEIGHTS[url] = len(gzip.compress(body))
    return WEIGHTS[url]


def is_closed(policy: str, *, office: bool) -> bool:
    """Return whether the page allows only our own script files and scripts with its nonce.

    The back office runs files alone, without a nonce; its menus are compiled by its framework.
    """
    scripts = policy.partition("script-src")[2].partition(";")[0]
    allowed = scripts.replace("'unsafe-eval'", "") if office else scripts
    return all(word in policy for word in POLICY) and "unsafe" not in allowed and (office or "'nonce-" in scripts)


def burdens(person: Person, *, office: bool) -> list[str]:
    """Reload the page; return complaints if it is heavy or allows foreign scripts."""
    answers: list[Response] = []

    def keep(answer: Response) -> None:
        if answer.request.is_navigation_request() and answer.frame.parent_frame is None:
            answers.clear()  # What the page before still asked for.
        answers.append(answer)

    person.page.on("response", keep)
    answer = person.page.reload()
    person.page.remove_listener("response", keep)
    assert answer is not None
    own = [one for one in answers if one.url.startswith(person.system.url) and one.status < 300]
    weight = sum(transferred(person, one.url) for one in own if one.request.resource_type != "font")
    policy = answer.headers.get("content-security-policy", "")
    told = [f"{weight} bytes"] if weight > HEAVIEST and not office else []
    return told if is_closed(policy, office=office) else [*told, f"open: {policy}"]
