"""The checkout page in a real browser: from the choice of a way to pay back to the shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser import chromium
from tests.paymob_process import PaymobProcess
from tests.sandbox.paymob.test_pages import page_of


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of Chromium."""
    with chromium.running() as browser:
        yield browser.new_page()


@pytest.mark.parametrize(("lang", "card", "pay", "confirm"), [
    ("en", "Card", "Pay", "Confirm"), ("ar", "بطاقة بنكية", "ادفع", "تأكيد"),
])  # fmt: skip
def test_a_payer_clicks_through(
    paymob: PaymobProcess, page: Page, lang: str, card: str, pay: str, confirm: str
) -> None:
    shop = f"{paymob.base_url}/_sandbox/health"
    made = paymob.intention(payment_methods=["card", "wallet"], redirection_url=shop)
    page.goto(page_of(paymob, made, lang=lang))
    page.get_by_role("link", name=card, exact=True).click()
    for name, value in (("number", "5123456789012346"), ("expiry", "01/39"), ("cvv", "123")):
        page.fill(f"input[name={name}]", value)
    page.get_by_role("button", name=pay, exact=True).click()
    page.fill("input[name=code]", "123456")
    page.get_by_role("button", name=confirm, exact=True).click()
    page.wait_for_url("**/_sandbox/health?**")

    assert "success=true" in page.url
    assert paymob.money()["transactions"][0]["status"] == "approved"
