"""Every page by its address, the users who may see it, and the data that fills it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.acceptance.story import Story
from tests.acceptance.system import System, eventually
from tests.staff import hire

SIGNED_OUT = {
    "home": "/",
    "sign-in": "/sign-in/",
    "register": "/register/",
    "password-forgotten": "/password/forgotten/",
    "password-sent": "/password/forgotten/sent/",
    "proof": "/proof/",
    "proof-statement": "/proof/1/",
    "not-found": "/nothing/",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A task that was paid out and withdrawn from, one under way with a refund asked for, one to be paid, one done."""

    paid: Story
    asked: Story
    unpaid: Story
    done: Story
    staff: str

    def pages(self) -> Iterator[tuple[str, str, str]]:
        """Yield who looks ("" is nobody), a name for the page, and its address."""
        yield from (("", name, address) for name, address in SIGNED_OUT.items())
        yield from ((self.unpaid.client.name, name, address) for name, address in self._of_the_client())
        yield self.done.client.name, "release-confirm", f"/tasks/{self.done.task}/payment/release/"
        for name in ("deliver", "cancel"):
            yield self.asked.freelancer.name, f"{name}-confirm", f"/tasks/{self.asked.task}/{name}/"
        client = self.asked.client.name
        yield client, "payment-asked", f"/tasks/{self.asked.task}/payment/"
        yield self.paid.client.name, "receipt", f"/tasks/{self.paid.task}/payment/receipt/"
        yield from ((self.paid.freelancer.name, name, address) for name, address in self._of_the_freelancer())
        answering = f"/tasks/{self.asked.task}/payment/"
        yield self.asked.freelancer.name, "payment-answer", answering
        yield from ((self.staff, f"office-{name}", address) for name, address in self._of_the_staff())

    def _of_the_client(self) -> Iterator[tuple[str, str]]:
        yield "client-home", "/"
        yield "task-new", "/tasks/new/"
        yield "task", f"/tasks/{self.unpaid.task}/"
        yield "checkout", f"/tasks/{self.unpaid.task}/pay/"
        yield "checkout-wait", f"/tasks/{self.unpaid.task}/pay/wait/"
        yield "client-wallet", "/wallet/"

    def _of_the_freelancer(self) -> Iterator[tuple[str, str]]:
        yield "freelancer-home", "/"
        yield "tasks", "/tasks/?which=open"
        yield "my-tasks", "/tasks/?which=mine"
        yield "payment", f"/tasks/{self.paid.task}/payment/"
        yield "wallet", "/wallet/"
        yield "withdraw", "/wallet/withdraw/"
        yield "withdraw-confirm", "/wallet/withdraw/confirm/?currency=USD&amount=10.00"
        yield "withdrawals", "/wallet/withdrawals/"
        withdrawal = self.paid.freelancer.get("/payments/withdrawals/")["results"][0]["withdrawal_id"]
        yield "withdrawal", f"/wallet/withdrawals/{withdrawal}/"
        yield "transactions", "/transactions/"
        transaction = self.paid.freelancer.get("/payments/wallet/transactions/")["results"][0]["transaction_id"]
        yield "transaction", f"/transactions/{transaction}/"
        yield "statement", "/transactions/statement/"
        yield "onboarding", "/onboarding/"
        yield "payout-details", "/payout-details/"
        yield "payout-details-add", "/payout-details/add/bank/"
        yield "payout-details-identity", "/payout-details/identity/"
        yield "notices", "/notices/"
        yield "profile", "/profile/"
        yield "email-change", "/profile/email/"
        yield "password-change", "/password/change/"
        yield "security", "/security/"

    def _of_the_staff(self) -> Iterator[tuple[str, str]]:
        number, withdrawal, webhook, person = self._rows()
        yield "home", "/backoffice/"
        yield "escrows", "/backoffice/payments/escrow/"
        yield "escrow", f"/backoffice/payments/escrow/{number}/change/"
        yield "release", f"/backoffice/do/release/{number}/"
        yield "withdrawals", "/backoffice/payments/withdrawal/"
        yield "withdrawal", f"/backoffice/payments/withdrawal/{withdrawal}/change/"
        yield "webhooks", "/backoffice/webhooks/incomingevent/"
        yield "webhook", f"/backoffice/webhooks/incomingevent/{webhook}/change/"
        yield "person", f"/backoffice/users/user/{person}/change/"
        yield "transactions", "/backoffice/ledger/transaction/"

    def _rows(self) -> tuple[int, ...]:
        """The escrow with a refund asked for, and a withdrawal, a webhook and a person."""
        found = self.asked.system.query(
            "SELECT"
            " (SELECT e.id FROM payments_escrow e JOIN marketplace_task t USING (agreement_id) WHERE t.id = %s),"
            " (SELECT min(id) FROM payments_withdrawal),"
            " (SELECT min(id) FROM webhooks_incomingevent), (SELECT id FROM users_user WHERE username = %s)",
            *(self.asked.task, self.paid.freelancer.name),
        )
        return tuple(int(number) for number in found[0])


def prepare(system: System) -> Scene:
    """Play what the pages show, through the API."""
    prices = ("1250.00", "480.00", "75.50", "320.00", "10.00")
    paid, asked, unpaid, done, staff = (Story(system, price=price) for price in prices)
    paid.to_work_done()
    paid.release()
    paid.until_available()
    paid.freelancer.post("/payments/withdrawals/create/", {"amount": "400.00"})
    paid.until_paid_out()
    asked.hire()
    asked.fund()
    asked.freelancer.post(f"/api/tasks/{asked.task}/start/")
    wish = {"reason": "not_as_agreed", "amount": "180.00", "note": "The colours differ from the draft."}
    asked.client.post(f"/payments/escrow/{asked.escrow_id}/refund/", wish)
    unpaid.hire()
    unpaid.intend()
    done.to_work_done()
    hire(system, staff.client.name, "admin")
    publish_statement(system)
    return Scene(paid, asked, unpaid, done, staff.client.name)


def publish_statement(system: System) -> None:
    """Have the worker sign the statement of today, which it would do within ten minutes."""
    job = "('polls', 'publish_statement', 0, NULL, NULL, '{\"timestamp\": 0}'::jsonb, NULL)"
    system.query(f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW{job}]::procrastinate_job_to_defer_v1[])")
    eventually(lambda: system.query("SELECT number FROM payments_proofstatement"), "a statement to be signed")
