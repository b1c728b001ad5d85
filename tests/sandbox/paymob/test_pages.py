"""The checkout pages, as a client without scripts uses them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.paymob_process import BILLING, PUBLIC_KEY, PaymobProcess
from tests.sandbox.receiver import Receiver
from tests.sandbox.test_pages import visit

BACK = "https://shop.example/back?task=7"


def page_of(paymob: PaymobProcess, made: Any, method: int | None = None, lang: str | None = None) -> str:
    query = {"publicKey": PUBLIC_KEY, "clientSecret": made["client_secret"], "method": method, "lang": lang}
    given = {name: value for name, value in query.items() if value is not None}
    return f"{paymob.base_url}/unifiedcheckout/?{urlencode(given)}"


def card(number: str = "5123 4567 8901 2346", **more: str) -> dict[str, str]:
    return {"number": number, "name": "Test <b>Account</b>", "expiry": "01 / 39", "cvv": "123", **more}


def result(where: str) -> dict[str, str]:
    assert where.startswith("https://shop.example/back?task=7&")
    return dict(parse_qsl(urlsplit(where).query, keep_blank_values=True))


def test_a_card_is_paid_by_clicking(paymob: PaymobProcess) -> None:
    made = paymob.intention(payment_methods=["card", "wallet", "kiosk"], redirection_url=BACK)
    status, text, headers = visit(page_of(paymob, made))
    assert (status, "250.50 EGP" in text, text.count("<li>")) == (200, True, 3)
    assert "'unsafe" not in headers["Content-Security-Policy"]
    status, where, _ = visit(page_of(paymob, made, 2001), card())
    assert (status, "/unifiedcheckout/verify/" in where) == (303, True)
    where = f"{paymob.base_url}{where}"
    assert "123456" in visit(where)[1]
    status, back, _ = visit(where, {"code": "123456", "action": "confirm"})

    assert (status, result(back)["success"]) == (303, "true")
    assert visit(where)[0] == 410
    assert "paid already" in visit(page_of(paymob, made))[1]
    assert paymob.money()["books"]["payers/card"] == -25_050


@pytest.mark.parametrize("answer", [{"code": "000000"}, {"code": "123456", "action": "cancel"}])
def test_a_wrong_code_declines_the_card(paymob: PaymobProcess, answer: dict[str, str]) -> None:
    made = paymob.intention(redirection_url=BACK)
    _, where, _ = visit(page_of(paymob, made), card())
    _, back, _ = visit(f"{paymob.base_url}{where}", answer)

    assert (result(back)["success"], result(back)["pending"]) == ("false", "false")
    assert visit(page_of(paymob, made))[0] == 200


def test_a_declined_card_sends_the_payer_back_with_the_reason(paymob: PaymobProcess) -> None:
    made = paymob.intention(redirection_url=BACK)
    _, back, _ = visit(page_of(paymob, made), card("4000000000000002"))

    assert (result(back)["success"], result(back)["data.message"]) == ("false", "Do not honour")
    alone = paymob.intention()
    status, text, _ = visit(page_of(paymob, alone), card("4000000000000002"))
    assert (status, "Do not honour" in text) == (200, True)


@pytest.mark.parametrize(
    "form", [card("4242424242424242"), card(expiry="01/20"), card(expiry="never"), card(cvv="1"), {}]
)
def test_what_is_typed_wrong_is_said_and_moves_nothing(paymob: PaymobProcess, form: dict[str, str]) -> None:
    status, text, _ = visit(page_of(paymob, paymob.intention()), form)

    assert (status, 'role="alert"' in text, "<b>Account" in text) == (402, True, False)
    assert paymob.objects("transaction") == []


def test_a_wallet_asks_for_its_pin_and_a_code(paymob: PaymobProcess) -> None:
    made = paymob.intention(payment_methods=["wallet"], redirection_url=BACK)
    assert visit(page_of(paymob, made), {"phone": "1"})[0] == 402
    outcomes = []
    for answer in ({"mpin": "111111", "code": "123456"}, {"mpin": "123456", "code": "123456"}):
        _, where, _ = visit(page_of(paymob, made), {"phone": "01010101010"})
        assert "MPIN" in visit(f"{paymob.base_url}{where}")[1]
        outcomes.append(result(visit(f"{paymob.base_url}{where}", answer)[1])["success"])

    assert outcomes == ["false", "true"]


def test_a_kiosk_shows_a_code_that_is_paid_later(paymob: PaymobProcess, receiver: Receiver) -> None:
    made = paymob.intention(payment_methods=["kiosk"], redirection_url=BACK, notification_url=receiver.url)
    _, where, _ = visit(page_of(paymob, made), {})
    bill = f"{paymob.base_url}{where}"
    _, text, _ = visit(bill)
    [pending] = receiver.wait_for("TRANSACTION")
    assert str(pending["obj"]["data"]["bill_reference"]) in text
    assert "pending=true" in text
    assert visit(bill, {})[0] == 303

    assert receiver.wait_for("TRANSACTION", 2)[1]["obj"]["success"]
    assert "The payment was made." in visit(bill)[1]


def test_a_saved_card_is_offered_and_pays(paymob: PaymobProcess, receiver: Receiver) -> None:
    made = paymob.intention(notification_url=receiver.url)
    _, where, _ = visit(page_of(paymob, made), card(save="1"))
    visit(f"{paymob.base_url}{where}", {"code": "123456"})
    [saved] = receiver.wait_for("TOKEN")
    again = paymob.intention(card_tokens=[saved["obj"]["token"]], redirection_url=BACK)
    assert "Saved card 2346" in visit(page_of(paymob, again))[1]
    other = visit(page_of(paymob, paymob.intention()), {"token": saved["obj"]["token"]})
    assert (other[0], "does not offer this card" in other[1]) == (402, True)
    _, where, _ = visit(page_of(paymob, again), {"token": saved["obj"]["token"]})
    _, back, _ = visit(f"{paymob.base_url}{where}", {"code": "123456"})

    assert result(back)["success"] == "true"


def test_the_frame_of_the_older_api_takes_a_card(paymob: PaymobProcess) -> None:
    _, order = paymob.old("/api/ecommerce/orders", {"amount_cents": 900})
    asked = {"amount_cents": 900, "order_id": order["id"], "billing_data": BILLING, "currency": "EGP"}
    _, key = paymob.old("/api/acceptance/payment_keys", {**asked, "integration_id": 2001})
    url = f"{paymob.base_url}/api/acceptance/iframes/7001?payment_token={key['token']}"
    assert "9.00 EGP" in visit(url)[1]
    status, text, _ = visit(url, card("5123450000000008"))

    assert (status, "The payment was made." in text) == (200, True)


def test_pages_are_in_arabic_too(paymob: PaymobProcess) -> None:
    made = paymob.intention()
    _, text, _ = visit(page_of(paymob, made, lang="ar"))
    assert 'lang="ar" dir="rtl"' in text
    assert "المبلغ المطلوب" in text
    _, where, _ = visit(page_of(paymob, made, lang="ar"), card())

    assert "رمز التحقق" in visit(f"{paymob.base_url}{where}")[1]


def test_pages_of_what_does_not_exist_or_is_over(paymob: PaymobProcess) -> None:
    made = paymob.intention(expiration=60)
    page = page_of(paymob, made)
    assert visit(page.replace(made["client_secret"], "egy_csk_test_x"))[0] == 404
    assert visit(page.replace(PUBLIC_KEY, "egy_pk_live_x"))[0] == 403
    assert visit(page.replace("clientSecret", "other"))[0] == 404
    assert visit(f"{paymob.base_url}/unifiedcheckout/verify/1/x")[0] == 410
    assert visit(f"{paymob.base_url}/unifiedcheckout/bill/1/x")[0] == 404
    assert visit(f"{paymob.base_url}/api/acceptance/iframes/7001?payment_token=x")[0] == 404
    paymob.advance(61)

    assert visit(page)[0] == 410
    assert visit(page, card())[0] == 410
