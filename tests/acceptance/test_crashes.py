"""Worker and web server are killed during every operation of the story; it ends with the same ledger.

Nothing in the programs knows of these tests. The sandbox holds a request while its sender is killed, and the
database holds a row. A request that is held "for ever" never has its effect, as the sandbox is killed with it;
one that is held for a while has its effect, and its answer finds nobody.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from tests.acceptance import books
from tests.acceptance.story import Story
from tests.acceptance.system import Process, System, eventually

pytestmark = pytest.mark.django_db

# Both shorter than our patience with the provider; the second still lasts when everything else is held too.
UNTIL_KILLED = 15.0
FOR_EVER, A_WHILE = 3_600.0, 15.0
HELD = {
    "create_account": ("POST", "/v1/accounts"),
    "create_customer": ("POST", "/v1/customers"),
    "create_payment": ("POST", "/v1/payment_intents"),
    "create_transfer": ("POST", "/v1/transfers"),
    "create_payout": ("POST", "/v1/payouts"),
    "create_refund": ("POST", "/v1/refunds"),
    "cancel_payment": ("POST", "/v1/payment_intents/*/cancel"),
    "webhook": ("GET", "/v1/payment_intents/*"),
}
BOTH_WAYS = (FOR_EVER, A_WHILE)

Call = Callable[[], object]
StoryStep = Callable[[Story], object]


class Crash:
    """Steps that are under way when a program is killed, and what must become of each."""

    def __init__(self, system: System, threads: ThreadPoolExecutor) -> None:
        self.system, self.threads = system, threads
        self.steps: list[Future[object]] = []
        self.ends: list[Call] = []
        self.effects: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.locks = contextlib.ExitStack()

    def hold(self, name: str, seconds: float, step: Call, end: Call) -> None:
        """Begin a step, and wait until the sandbox holds the request that it leads to."""
        method, path = HELD[name]
        rule = self.system.sandbox.add_fault("delay", method=method, path=path, count=1, seconds=seconds)
        self.begin(step, end)
        eventually(lambda: self._fired(rule["id"]) == 1, f"the sandbox to hold {name}", seconds=15, pause=0.02)
        if name != "webhook":
            self.sent[name] += 1
            self.effects[name] += seconds < FOR_EVER

    def hold_both(self, name: str, stories: list[Story], step: StoryStep, end: StoryStep) -> None:
        """Hold the same step of two stories: one request never has its effect, the other loses its answer."""
        for story, seconds in zip(stories, BOTH_WAYS, strict=True):
            self.hold(name, seconds, partial(step, story), partial(end, story))

    def begin(self, step: Call, end: Call) -> None:
        """Begin a step in a thread of its own."""
        self.steps.append(self.threads.submit(step))
        self.ends.append(end)

    def lock(self, statement: str, *values: object) -> psycopg.Connection[tuple[object, ...]]:
        """Hold a row, so that whoever needs it waits."""
        connection = self.locks.enter_context(psycopg.connect(self.system.database_url))
        assert connection.execute(statement.encode(), values).rowcount == 1
        return connection

    def _fired(self, rule: int) -> int:
        return sum(row["fired"] for row in self.system.sandbox.faults() if row["id"] == rule)

    def kill(self, process: Process, began_at: float) -> None:
        """Kill a program once the effects are there whose answers it will not read; start it again."""
        assert time.monotonic() - began_at < UNTIL_KILLED, "this machine is too slow: held requests have timed out"
        process.freeze()
        # What the other program has just sent ends by itself; what this one sent stays.
        eventually(lambda: self._sent() == self.sent, f"exactly {self.sent} to be under way", seconds=10)
        eventually(self._has_had_its_effects, "the effects whose answers nobody reads", seconds=A_WHILE + 15)
        process.kill()
        self.system.sandbox.kill()
        # The database notices that the program is gone, and only then lets go of what the test has held.
        self.system.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        self.locks.close()
        self.system.sandbox.restart()
        self.system.sandbox.clear_faults()
        process.start()

    def _sent(self) -> Counter[str]:
        statement = "SELECT kind FROM payments_operation WHERE state = 'sent'"
        return Counter(kind for (kind,) in self.system.query(statement))

    def _has_had_its_effects(self) -> bool:
        return all(self._made(name) >= self.before[name] + count for name, count in self.effects.items())

    def remember(self) -> None:
        """Count what there is before anything is held."""
        self.before = Counter({name: self._made(name) for name in HELD if name != "webhook"})

    def _made(self, name: str) -> int:
        if name == "cancel_payment":
            return sum(row["object"]["status"] == "canceled" for row in self.system.sandbox.objects("payment_intent"))
        kind = books.MAKES[name]
        return len(self.system.sandbox.objects(kind))

    def all_end_well(self) -> None:
        """Wait for every step to be answered and every story to end."""
        for step in self.steps:
            step.result()
        for end in [self.threads.submit(end) for end in self.ends]:
            end.result()


@pytest.fixture
def crash(system: System) -> Iterator[Crash]:
    with ThreadPoolExecutor(32) as threads:
        yield Crash(system, threads)


def stories(crash: Crash, number: int, *steps: Callable[[Story], object]) -> list[Story]:
    """So many new stories, each taken some steps."""

    def play(_: int) -> Story:
        story = Story(crash.system)
        for step in steps:
            step(story)
        return story

    return list(crash.threads.map(play, range(number)))


def test_the_worker_is_killed_while_it_moves_money(system: System, crash: Crash) -> None:
    released = stories(crash, 2, Story.to_work_done)
    withdrawn = stories(crash, 2, Story.to_work_done, Story.release, Story.until_available)
    refunded = stories(crash, 2, Story.hire, Story.fund)

    killed(
        crash,
        system.worker,
        partial(crash.hold_both, "create_transfer", released, Story.release, Story.finish),
        partial(crash.hold_both, "create_payout", withdrawn, Story.withdraw, Story.until_paid_out),
        partial(crash.hold_both, "create_refund", refunded, Story.refund, partial(Story.until, status="refunded")),
    )


def test_the_worker_is_killed_at_news_and_cancellations_of_payments(system: System, crash: Crash) -> None:
    cancelled = stories(crash, 2, Story.hire, Story.intend)
    paid = stories(crash, 2, Story.hire, Story.onboard, Story.intend)

    killed(
        crash,
        system.worker,
        partial(crash.hold_both, "cancel_payment", cancelled, Story.cancel, partial(Story.until, status="cancelled")),
        # Both events of a payment may share one job, so one read is certain.
        partial(crash.hold_both, "webhook", paid, Story.pay, finish_paid),
    )


def finish_paid(story: Story) -> None:
    story.until("funded")
    story.work()
    story.finish()


def finish_account(story: Story) -> None:
    story.fill_in_form()
    eventually(story.is_onboarded, "the account to be enabled")
    story.fund()
    finish_paid(story)


def finish_intent(story: Story) -> None:
    story.onboard()
    story.pay()
    finish_paid(story)


def test_the_web_server_is_killed_at_its_own_calls(system: System, crash: Crash) -> None:
    hired = stories(crash, 2, Story.hire)
    intended = stories(crash, 4, Story.hire)

    killed(
        crash,
        system.web,
        partial(crash.hold_both, "create_account", hired, Story.open_account, finish_account),
        partial(hold_intents, crash, intended),
    )


def test_the_web_server_is_killed_in_its_commands(system: System, crash: Crash) -> None:
    worked = stories(crash, 2, Story.to_work_done)
    funded = stories(crash, 2, Story.hire, Story.fund)
    earned = stories(crash, 2, Story.to_work_done, Story.release, Story.until_available)

    killed(
        crash,
        system.web,
        partial(hold_commands, crash, "release", worked, Story.finish),
        partial(hold_commands, crash, "refund", funded, partial(Story.until, status="refunded")),
        partial(hold_commands, crash, "withdraw", earned, Story.until_paid_out),
    )


def killed(crash: Crash, process: Process, *holds: Call) -> None:
    """Hold these steps at once, kill the program amid them, and assert that every story ends well.

    Few at once: all of them must be under way before the first request that is held times out.
    """
    crash.system.settle_down()
    crash.remember()
    began_at = time.monotonic()
    at_once(crash, *holds)
    crash.kill(process, began_at)
    crash.all_end_well()
    books.assert_equal(crash.system)


_ROWS = {
    "release": "SELECT 1 FROM payments_escrow WHERE public_id::text = %s FOR UPDATE",
    "refund": "SELECT 1 FROM payments_escrow WHERE public_id::text = %s FOR UPDATE",
    "withdraw": "SELECT 1 FROM payments_connectedaccount WHERE user_id = %s FOR UPDATE",
}
_DONE = {
    "release": "SELECT 1 FROM payments_escrow WHERE public_id::text = %s AND state = 'released'",
    "refund": "SELECT 1 FROM payments_refund refund JOIN payments_escrow escrow ON escrow.id = refund.escrow_id"
    " WHERE escrow.public_id::text = %s",
    "withdraw": "SELECT 1 FROM payments_withdrawal WHERE user_id = %s",
}
_WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pg_blocking_pids(pid) @> ARRAY[%s::int]"
)


def hold_intents(crash: Crash, intended: list[Story]) -> None:
    # One after the other, since the intent of a new client creates a customer first.
    crash.hold_both("create_payment", intended[:2], Story.intend, finish_intent)
    crash.hold_both("create_customer", intended[2:], Story.intend, finish_intent)
    # The payment's call is claimed with the customer's, in one transaction.
    crash.sent["create_payment"] += 2


def hold_commands(crash: Crash, command: str, both: list[Story], end: StoryStep) -> None:
    """Hold the same command of two stories: one inside its transaction, the other between commit and answer."""
    first, second = both
    hold_before_commit(crash, first, command, partial(end, first))
    row = hold_before_commit(crash, second, command, partial(end, second))
    # Where the answer is kept for repetitions.
    crash.lock("SELECT 1 FROM api_idempotencyrecord WHERE key = %s FOR UPDATE", second.key(command))
    row.close()
    eventually(lambda: crash.system.query(_DONE[command], subject(second, command)), f"{command} to commit", seconds=10)


def hold_before_commit(crash: Crash, story: Story, command: str, end: Call) -> psycopg.Connection[tuple[object, ...]]:
    row = crash.lock(_ROWS[command], subject(story, command))
    crash.begin(getattr(story, command), end)
    waiting = partial(crash.system.query, _WAITING, row.info.backend_pid)
    eventually(waiting, f"{command} to wait for its row", seconds=10, pause=0.02)
    return row


def subject(story: Story, command: str) -> object:
    return story.freelancer.id if command == "withdraw" else story.escrow_id


def at_once(crash: Crash, *calls: Call) -> None:
    for done in [crash.threads.submit(call) for call in calls]:
        done.result()
