"""The proof page for visitors, and a person's own proof from their wallet, verified by the program that is offered."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson
from tests.browser.pages import publish_statement

pytestmark = pytest.mark.django_db


def test_a_freelancer_downloads_a_proof_and_verifies_it(story: Story, new_person: NewPerson, tmp_path: Path) -> None:
    story.to_work_done()
    publish_statement(story.system)
    freelancer = new_person().sign_in(story.freelancer.name)
    page = freelancer.page
    freelancer.open("/wallet/")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download your own proof").click()
    downloaded.value.save_as(tmp_path / "my-proof.json")
    page.get_by_role("link", name="How to check it").click()
    expect(page.locator("h1")).to_have_text("Proof of escrow")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="verify_proof.py").click()
    downloaded.value.save_as(tmp_path / "verify_proof.py")

    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify_proof.py", "my-proof.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("valid\n")
    assert json.loads((tmp_path / "my-proof.json").read_text())["subject"].startswith("user:")


def test_a_visitor_reads_a_statement_without_signing_in(story: Story, new_person: NewPerson) -> None:
    story.hire()
    story.fund()
    publish_statement(story.system)
    visitor = new_person()
    visitor.open("/")
    visitor.page.get_by_role("contentinfo").get_by_role("link", name="Proof of escrow").click()
    expect(visitor.page).to_have_url(re.compile("/proof/$"))
    expect(visitor.page.get_by_text("Check it yourself")).to_be_visible()
    with visitor.page.expect_download() as downloaded:
        visitor.page.get_by_role("link", name="Statement with signature").click()
    assert downloaded.value.suggested_filename == "proof-1.json"
