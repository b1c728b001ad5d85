"""The story of a task in EGP: the client pays on Paymob's page, and finance fills the budget of the payout."""

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from stack import books, console, mailbox
from stack.caller import Answer, Caller, Form
from stack.errors import StackError
from stack.local import Local
from stack.story import Steps, Story, must

CARD = {"number": "5123456789012346", "name": "Test Account", "expiry": "01 / 39", "cvv": "123"}
CARD_INTEGRATION = 2001
BANK_CODE = "123456"
LEGAL_NAME, NATIONAL_ID = "Mona Adel Hassan", "29001010112345"
TOP_UP = Decimal("900.00")
BUDGETS = "/backoffice/payments/payoutbudget/"
WAIT_SECONDS = 60
PAUSE_SECONDS = 0.5


@dataclass
class EgyptStory(Story):
    """Two people in Egypt, and a member of the staff whose session in the back office was proved by a code."""

    currency, country, prefix = "EGP", "EG", "egypt-"
    price, share, fee = Decimal("1000.00"), Decimal("850.00"), Decimal("150.00")
    task = {"title": "Translate a menu", "description": "A menu for a restaurant, into English."}

    staff: Caller = field(kw_only=True)
    began: float = field(default_factory=time.time)
    wallet: str = field(default_factory=lambda: f"0121{1_111_111 + secrets.randbelow(8_888_888)}")

    def _steps(self) -> Steps:
        return [
            *self._hiring(),
            ("The client starts the payment and gets the address of Paymob's page", self._start_payment),
            ("The client pays there by card 5123 4567 8901 2346, with the code of the bank", self._pay),
            ("The signed callback confirms: the money is in escrow", self._await_funds),
            *self._working(),
            ("The platform holds the money, so the share is available at once", self._await_available),
            ("The freelancer confirms the email address by the link in the email", self._confirm_email),
            ("The freelancer gives legal name and national ID, and a mobile wallet to be paid to", self._give_details),
            ("Support confirms the identity in the back office, with the number on the document", self._identify),
            ("The freelancer withdraws everything; the payout waits for the budget", self._withdraw),
            ("Paymob settles what it has collected to the platform's bank; finance records it", self._settle),
            ("Finance tops the payout budget up at Paymob and records it", self._top_up),
            ("Paymob's callback leads to the payout: it has arrived", self._await_payout),
            ("The ledger is compared with Paymob's own record", self._compare),
        ]

    def _figures(self, local: Local, rows: list[books.Row]) -> list[books.Comparison]:
        return books.of_paymob(local, rows)

    def _destination(self) -> str:
        return "mobile wallet"

    def _banked(self) -> int:
        payouts = books.sandbox_money(self.local.paymob)["payouts"]
        ours = [one for one in payouts if one["destination"] == self.wallet and one["status"] == "successful"]
        return sum(one["amount"] for one in ours)

    def _start_payment(self) -> None:
        self.seen["redirect"] = self._create_intent()["redirect_url"]

    def _pay(self) -> None:
        """Choose the card, send its form and the bank's code, as a browser without scripts does."""
        address = urlsplit(self.seen["redirect"])
        browser = Caller(f"{address.scheme}://{address.netloc}", check=self.check)
        ways = Form(browser.page(f"{address.path}?{address.query}"))
        chosen = f"{address.path}{ways.link(f'method={CARD_INTEGRATION}')}"
        question = self._sent(browser, chosen, CARD)
        leads_to = self._sent(browser, question, {"code": BANK_CODE})
        console.say(f"     Paymob leads back to {leads_to.partition('?')[0]}")

    def _sent(self, browser: Caller, path: str, fields: dict[str, str]) -> str:
        """Open a page and send its form; return where it leads."""
        browser.page(path)
        status, leads_to = browser.form(path, fields)
        if status not in (302, 303):
            raise StackError(f"the form was not accepted: {status} {leads_to[:500]}")
        return leads_to

    def _confirm_email(self) -> None:
        """Open the link of the email that registering sent, and press the button of its page."""
        address = f"{self.freelancer.username}@example.com"
        folder = self.local.data / "emails"
        link = mailbox.await_link(folder, address, "/profile/email/confirm/", since=self.began, check=self.check)
        Caller(self.local.web, check=self.check).submit(link, {})

    def _give_details(self) -> None:
        """Enter both with the password, which proves that it is the owner who does."""
        caller, proof = self.freelancer.caller, {"password": self.freelancer.password}
        identity = {"legal_name": LEGAL_NAME, "national_id": NATIONAL_ID}
        must("the identity", caller.post("/payments/identity/", {**identity, **proof}), state="submitted")
        wallet = {"kind": "wallet", "currency": self.currency, "issuer": "orange", "msisdn": self.wallet}
        added = caller.post("/payments/destinations/", {**wallet, **proof})["destination"]
        must("the destination", added, status="in_use")

    def _identify(self) -> None:
        """Find the freelancer, whose page offers to confirm, and type the number from the document."""
        person = Form(self.staff.page(f"/backoffice/find/?q={self.freelancer.username}"))
        seen = {"national_id": NATIONAL_ID, "note": "Seen in a video call."}
        self.staff.submit(person.link("/do/confirm-identity/"), seen)
        must("the identity", self.freelancer.caller.get("/payments/identity/"), state="confirmed")

    def _settle(self) -> None:
        """Have everything settled that was collected, as Paymob does on its days, and record amount and fee."""
        provider = Caller(self.local.paymob, check=self.check)
        settled = provider.post("/_sandbox/settlements")["settlement"]
        if settled is None:
            raise StackError("there is nothing to settle: refunds by hand have used up what was collected")
        fee = self._fee_of(settled)
        console.say(
            f"     {_pounds(settled['amount'])} EGP arrive at the bank, after {_pounds(fee)} EGP of fees and VAT"
        )
        amounts = {"amount": _pounds(settled["amount"] + fee), "fee": _pounds(fee)}
        self._record("/do/record-settlement/", "settlement", amounts)

    def _fee_of(self, settled: Answer) -> int:
        known = books.sandbox_money(self.local.paymob)["transactions"]
        return sum(one["fee"] + one["vat"] for one in known if one["settlement"] == settled["id"])

    def _top_up(self) -> None:
        provider = Caller(self.local.paymob, check=self.check)
        provider.post("/_sandbox/topups", {"amount": int(TOP_UP * 100)})
        self._record("/do/record-top-up/", "top-up", {"amount": str(TOP_UP)})

    def _record(self, action: str, what: str, amounts: dict[str, str]) -> None:
        """Open the budget's page in the back office, and record something there."""
        budget = Form(self.staff.page(self._budget()))
        reference = {"reference": f"story-{self.mark}-{what}", "happened_on": datetime.now(UTC).date().isoformat()}
        self.staff.submit(budget.link(action), {**amounts, **reference, "note": "From the story."})

    def _budget(self) -> str:
        """Return the path of the budget's page; the first payout that waits for a budget brings it into the list."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            for link in Form(self.staff.page(BUDGETS)).links:
                if re.search(rf"{BUDGETS}\d+/change/", link):
                    return link
            time.sleep(PAUSE_SECONDS)
        raise StackError(f"the back office lists no payout budget after {WAIT_SECONDS} s")


def _pounds(minor: int) -> str:
    return str(Decimal(minor).scaleb(-2))
