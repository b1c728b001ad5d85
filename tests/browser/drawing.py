"""Draws every page, in every look; `tests.browser.screenshots` starts it."""

from typing import Any

import pytest

from tests.acceptance.system import System
from tests.browser import pages
from tests.browser.conftest import NewPerson
from tests.browser.person import DESKTOP, PHONE
from tests.browser.visits import visits
from tests.sandbox_process import ROOT

LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "arabic": {"viewport": DESKTOP, "language": "ar"},
    "arabic-phone-dark": {"viewport": PHONE, "language": "ar", "color_scheme": "dark"},
}
README = {"home": "home", "wallet": "wallet", "payment": "payment"}


@pytest.mark.django_db
def test_screenshots(system: System, new_person: NewPerson) -> None:
    """Draw every page in every look."""
    scene = pages.prepare(system)
    for look, context in LOOKS.items():
        folder = ROOT / "screenshots" / look
        folder.mkdir(parents=True, exist_ok=True)
        for title, person in visits(scene, new_person, **context):
            person.page.wait_for_load_state("networkidle")
            person.page.screenshot(path=folder / f"{title}.png", full_page=True)


@pytest.mark.django_db
def test_docs(system: System, new_person: NewPerson) -> None:
    """Draw the pictures of the README."""
    scene = pages.prepare(system)
    for title, person in visits(scene, new_person, only=frozenset(README), viewport={"width": 1120, "height": 700}):
        person.page.screenshot(path=ROOT / "docs" / "images" / f"{README[title]}.png")
