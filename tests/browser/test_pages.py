"""Every page: accessible in both languages and themes, light, and asking nobody but us and the provider."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Response

from tests.acceptance.system import System
from tests.browser import pages
from tests.browser.conftest import NewPerson
from tests.browser.pages import Scene
from tests.browser.visits import visits

pytestmark = pytest.mark.django_db
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
HEAVIEST = 50_000
LOOKS = [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")]


@pytest.fixture(scope="module")
def scene(system: System) -> Scene:
    return pages.prepare(system)


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_axe_finds_no_violation(scene: Scene, new_person: NewPerson, language: str, theme: str) -> None:
    found = []
    for title, person in visits(scene, new_person, color_scheme=theme, language=language):
        results = Axe().run(person.page, options=RULES)
        found += [
            f"{title}: {violation['id']} at {node['target']}: {node['failureSummary']}"
            for violation in results.response["violations"]
            for node in violation["nodes"][:3]
        ]
    assert not found, "\n".join(found)


def test_every_page_is_light_and_says_what_it_may_load(scene: Scene, new_person: NewPerson, browser: Browser) -> None:
    heavy, open_doors = {}, {}
    for title, person in visits(scene, new_person):
        weighed: list[Response] = []
        person.page.on("response", weighed.append)
        answer = person.page.reload(wait_until="networkidle")
        person.page.remove_listener("response", weighed.append)
        assert answer is not None
        ours = [response for response in weighed if response.url.startswith(person.system.url)]
        weight = sum(response.request.sizes()["responseBodySize"] for response in ours if "font" not in response.url)
        if weight > HEAVIEST and not title.startswith("office"):
            heavy[title] = weight
        policy = answer.headers.get("content-security-policy", "")
        wanted = ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "'nonce-")
        if not all(word in policy for word in wanted) or "unsafe" in policy.split("style-src")[0]:
            open_doors[title] = policy
    assert not heavy, heavy
    assert not open_doors, open_doors


def test_no_page_scrolls_sideways_on_a_phone(scene: Scene, new_person: NewPerson) -> None:
    wide = {}
    for title, person in visits(scene, new_person, viewport={"width": 390, "height": 844}):
        over = person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wide[title] = over
    assert not wide, wide
