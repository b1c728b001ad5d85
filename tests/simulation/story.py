"""One story: the turns drawn from its seed, until everything is finished."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from django.db import DatabaseError, connection

from multitask.payments.operations import send_deadline
from multitask.payments.provider import ProviderError
from sandboxes.kit.documents import Doc
from sandboxes.kit.outbox import Outbox
from sandboxes.kit.pipeline import Dropped, Reply
from tests.simulation import interruptions, network, web
from tests.simulation.clock import BEGIN
from tests.simulation.conditions import ACCOUNTS, CHOICES, DAY, HOUR, LONGEST_PAUSE, MINUTE, drawn, situations
from tests.simulation.egypt.paymob import HOST, TOKENS, Paymob
from tests.simulation.provider import Provider
from tests.simulation.queue import BESIDES, BUDGETS, MOVES, OFTEN, STATEMENT, Queue
from tests.simulation.responses import Responses
from tests.simulation.sabotage import Sabotage
from tests.simulation.tasks import Crash, Task, Turns

WORKERS = 2
DELIVERIES = 2
# The share of stories in which money comes back or moves without us.
LOSING = 1 / 3
# The share of stories that are in Egyptian pounds.
EGYPTIAN = 1 / 4
CALL_FAULTS = ("drop_request", "drop_response", "error_before", "error_after", "rate_limit", "timeout", "late_timeout")
AT_PROVIDER = ("error_before", "error_after", "rate_limit")


class Broken(Exception):
    """An invariant is broken."""


def loses(seed: int, number: int) -> bool:
    """Return whether money comes back or moves without us in a story."""
    return random.Random(f"{seed}:{number}:losses").random() < LOSING


def is_egyptian(seed: int, number: int) -> bool:
    """Return whether a story is in Egyptian pounds, through Paymob."""
    return random.Random(f"{seed}:{number}:egypt").random() < EGYPTIAN


class Story:
    """What the parts of a story share."""

    def __init__(self, seed: int, number: int, turns: Turns, secrets: tuple[str, str], sabotage: Sabotage) -> None:
        self.rng = random.Random(f"{seed}:{number}")
        self.turns, self.clock = turns, turns.clock
        self.sabotage = sabotage
        # Drawn apart, so that the other stories stay as they are.
        self.is_egyptian = is_egyptian(seed, number)
        self.loses = loses(seed, number) and not self.is_egyptian
        self.situations = situations(seed, number) if self.loses else frozenset()
        # Draws what these situations need, apart as well.
        self.fate = random.Random(f"{seed}:{number}:fate")
        self.conditions = drawn(self.rng, loses=self.loses)
        self.provider = Provider(self.clock, secrets=secrets, verify_after=self.conditions.verify_after)
        self.paymob = self._paymob() if self.is_egyptian else None
        left_out = frozenset() if self.conditions.besides else BESIDES
        left_out |= frozenset() if self.loses or self.conditions.besides else STATEMENT
        left_out |= frozenset() if {ACCOUNTS, CHOICES} & self.situations else MOVES
        left_out |= STATEMENT if self.is_egyptian else BUDGETS
        self.queue = Queue(sabotage.missing_chores | left_out)
        self.responses = Responses()
        self.trace: list[str] = []
        # What had happened with each account's money when its statement was found equal to our books.
        self.statements_read: dict[int, tuple[int, ...]] = {}
        self.is_calm = False
        self._number = 0
        self._jobs: dict[Task, int] = {}
        self._flying: dict[Task, Doc] = {}
        self._crashes = 0
        self._is_alone = False

    def _paymob(self) -> Paymob:
        payout_after = self.fate.choice((60.0, HOUR, HOUR, DAY))
        return Paymob(self.clock, payout_after=payout_after, return_after=self.fate.choice((1.0, HOUR, DAY, 3 * DAY)))

    # -- what everybody uses

    @property
    def outbox(self) -> Outbox:
        """Return the deliveries of the provider whose story this is."""
        return self.provider.outbox if self.paymob is None else self.paymob.outbox

    def chance(self, share: float) -> bool:
        """Draw whether something happens."""
        return share > 0 and self.rng.random() < share

    def befalls(self, situation: str, share: float = 1) -> bool:
        """Draw whether a situation happens here, in the stories that have it."""
        return situation in self.situations and self.fate.random() < share

    def say(self, text: str) -> None:
        """Add a step to the trace."""
        task = self.turns.current()
        self.trace.append(f"{self.clock.true - BEGIN:14.3f}  {task.name if task else '-':<16} {text}")

    def number(self) -> int:
        """Return the next number of this story."""
        self._number += 1
        return self._number

    def also(self, name: str, work: Callable[[], object]) -> Task:
        """Start a concurrent action of a person."""
        return self.turns.begin(f"{name}+", work)

    @property
    def now(self) -> float:
        """Our clock."""
        return self.clock.ours

    # -- points

    def reach(self, point: str) -> str:
        """Draw what happens at a point: nothing, the end of the process, somebody else's turn, a lost commit."""
        if self.turns.current() is None or self._is_alone:
            return ""
        if point == interruptions.BEFORE_COMMIT and self.sabotage.loses_commits and self.chance(0.02):
            return interruptions.PRETENDED
        if self.is_calm:
            return ""
        if self.chance(self.conditions.crash):
            self._crashes += 1
            self.say(f"crash {point}")
            raise Crash
        if point == interruptions.BEFORE_COMMIT:
            return self._unheard(interruptions.NOT_COMMITTED)
        if self.chance(self.conditions.yielding):
            self._let_others_go_on(point)
        return self._unheard(interruptions.UNHEARD) if point == interruptions.AFTER_COMMIT else ""

    def _unheard(self, fate: str) -> str:
        if self.chance(self.conditions.unheard):
            self.say(fate)
            return fate
        return ""

    def _let_others_go_on(self, point: str) -> None:
        seconds = 0.0
        if point == interruptions.UNDER_WAY:
            seconds = self.rng.choice((0.0, 0.1, 1.0, 5.0))
        elif self.chance(self.conditions.suspended):
            # Between the check of a key's age and the call no program can tell, so there it is never for a day.
            longest = LONGEST_PAUSE if point != interruptions.BEFORE_CALL else HOUR
            seconds = self.rng.choice((40.0, 10 * MINUTE, longest * self.rng.random()))
            self.say(f"suspended {point} for {seconds:.0f} s")
        self.turns.wait(seconds)

    # -- calls to the provider

    def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """Pass a call to the provider and return its response. Raises network.Lost."""
        if connection.in_atomic_block:
            raise Broken(f"a transaction spans the call {method} {url}")
        if urlsplit(url).path.endswith(TOKENS):
            with self._alone():
                return self._carried(method, url, headers, body, timeout)
        return self._carried(method, url, headers, body, timeout)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else go on, since a lock of our process is held."""
        self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False

    def _carried(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        interruptions.reach(interruptions.BEFORE_CALL)
        self.pass_by(0.05 + 0.3 * self.rng.random())
        path = url.rsplit("/v1/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
        # As our connections do before any byte leaves.
        send_deadline.check()
        fault = self._fault(f"{method} {path}", timeout)
        if fault in ("drop_request", "timeout"):
            raise network.Lost(fault)
        if self.sabotage.loses_keys and method == "GET" and "/" not in path:
            return Reply(200, b'{"object": "list", "data": [], "has_more": false, "url": "/v1/"}', {})
        try:
            reply = self._at_provider(method, url, self.sabotage.headers(headers), body, fault)
        except Dropped:
            raise network.Lost("dropped") from None
        if method == "GET" and reply.status == 200:
            reply = replace(reply, body=self.sabotage.reply(path, reply.body))
        interruptions.reach(interruptions.AFTER_EFFECT)
        if fault in ("drop_response", "late_timeout"):
            raise network.Lost(fault)
        return reply

    def _fault(self, call: str, timeout: float) -> str:
        if self.is_calm or not self.chance(self.conditions.fault):
            self.say(call)
            return ""
        fault = self.rng.choice(CALL_FAULTS)
        self.say(f"{call}: {fault}")
        if "timeout" in fault:
            self.pass_by(timeout)
        return fault

    def _at_provider(self, method: str, url: str, headers: Mapping[str, str], body: bytes, fault: str) -> Reply:
        provider: Provider | Paymob = self.provider
        if self.paymob is not None and urlsplit(url).hostname == HOST:
            provider = self.paymob
        work = provider.begin(method, url, headers, body, fault if fault in AT_PROVIDER else "")
        if isinstance(work, Reply):
            return work
        try:
            interruptions.reach(interruptions.UNDER_WAY)
        except Crash:
            # Our process ends; the provider does not.
            provider.finish(work)
            raise
        return provider.finish(work)

    # -- time

    @property
    def reads_statements(self) -> bool:
        """Whether the provider's statement is read: by the workers, or once at the end."""
        return not self.is_egyptian and "queue_statements" not in self.sabotage.missing_chores

    def pass_by(self, seconds: float) -> None:
        """Advance time, and run the provider's due timers."""
        self.clock.pass_by(seconds)
        self._run_due()

    def _run_due(self) -> None:
        self.provider.run_due()
        if self.paymob is not None:
            self.paymob.run_due()

    def rest(self, seconds: float) -> None:
        """Make a person wait."""
        self.turns.wait(seconds)

    # -- turns

    def turn(self) -> bool:
        """Draw and run one turn; return False if all tasks wait."""
        options: list[Callable[[], object]] = []
        for task in self.turns.ready():
            options += [lambda task=task: self._give(task)] * 3
        if len(self._jobs) < WORKERS:
            self.queue.revive(self.clock.true)
            options += [lambda row=row: self._work(row[0], row[1]) for row in self.queue.due(self.now)[:8]]
            if not self.is_calm and self.chance(0.03):
                options += [lambda name=name: self._chore(name) for name in self.queue.overdue(self.clock.true)]
        if len(self._flying) < DELIVERIES:
            under_way = {delivery["id"] for delivery in self._flying.values()}
            due = [delivery for delivery in self.outbox.due()[:6] if delivery["id"] not in under_way]
            options += [lambda one=one: self._deliver(one) for one in due]
        if not options:
            return False
        self.rng.choice(options)()
        return True

    def chores(self, share: float = 1) -> None:
        """Run the due periodic jobs, or some of them."""
        for name in self.queue.overdue(self.clock.true):
            if share == 1 or self.chance(share * OFTEN.get(name, 1)):
                self._chore(name)

    def jump(self, latest: float | None = None) -> None:
        """Advance time until a task or job is due, or to a true moment."""
        latest = self.clock.true + 10 * DAY if latest is None else latest
        skew = self.clock.skew
        moments = [self.turns.next_ready(), self.provider.next_due()]
        moments += [] if self.paymob is None else [self.paymob.next_due()]
        if len(self._jobs) < WORKERS:
            job = self.queue.next_due()
            moments += [None if job is None else job - skew, self.queue.next_revival()]
        if len(self._flying) < DELIVERIES:
            under_way = [delivery["id"] for delivery in self._flying.values()]
            moments.append(self.outbox.next_due(besides=under_way))
        following = min((moment for moment in moments if moment is not None), default=latest)
        following = min(max(following, self.clock.true + 0.001), latest)
        is_long = following - self.clock.true >= MINUTE
        self.clock.pass_to(following)
        self._run_due()
        if is_long and not self.is_calm:
            # A worker that is late, or busy, is no fault: the next tick counts for those that were missed.
            self.chores(0.2)

    def _give(self, task: Task) -> None:
        self.turns.give(task)
        if task.is_done:
            self._ended(task)

    def _ended(self, task: Task) -> None:
        error = task.error
        job_id = self._jobs.pop(task, None)
        delivery = self._flying.pop(task, None)
        if delivery is not None and isinstance(error, Crash):
            self.outbox.settle(delivery, "no answer")
        if job_id and isinstance(error, Crash) and not self.sabotage.loses_jobs:
            self.queue.left(job_id, self.clock.true)
        if error is None or isinstance(error, Crash):
            return
        if job_id is not None and isinstance(error, DatabaseError | ProviderError):
            # The worker notes it; the sweeper and the next tick make it good.
            return
        raise Broken(f"{task.name} failed: {type(error).__name__}: {error}") from error

    def _work(self, job_id: int, name: str) -> None:
        task = self.turns.begin(f"job {job_id}", self._served(name, self.queue.take(job_id)))
        self._jobs[task] = job_id
        self._give(task)

    def _chore(self, name: str) -> None:
        task = self.turns.begin(name, self._served("", self.queue.chore(name, self.clock.true, self.now)))
        self._jobs[task] = 0
        self._give(task)

    def _served(self, name: str, work: Callable[[], object]) -> Callable[[], object]:
        def serve() -> None:
            if name:
                self.say(name)
            try:
                work()
            except Crash:
                web.forget()
                raise

        return serve

    def _deliver(self, delivery: Doc) -> None:
        opened = self.outbox.opened(delivery)
        if opened is None:
            self.outbox.finish(delivery, "dropped", "")
            return
        event, endpoint = opened
        fate = self._fate(delivery, event["type"])
        if fate == "lost":
            self.outbox.finish(delivery, "lost", "")
            return
        if fate == "late":
            self.outbox.put_off(delivery, "late", seconds=self.rng.choice((5.0, 120.0, 2 * HOUR, 1.5 * DAY)))
            return
        message = self.outbox.message(event, endpoint, self.clock.true)

        def send() -> None:
            for _ in range(2 if fate == "doubled" else 1):
                signature = message.headers.get("Stripe-Signature", "")
                headers = {"HTTP_STRIPE_SIGNATURE": signature} if signature else {}
                answer = web.ask("POST", message.url, message.body, address="192.0.2.1", **headers)
            if answer.status >= 500 and answer.code != "try_again":
                raise Broken(f"a webhook was answered {answer}")
            self.outbox.settle(delivery, "" if answer.is_done else f"answered {answer.status}")

        task = self.turns.begin(f"webhook {delivery['id']}", send)
        self._flying[task] = delivery
        self._give(task)

    def _fate(self, delivery: Doc, kind: str) -> str:
        fate = ""
        if not self.is_calm and not delivery["attempts"] and self.chance(self.conditions.webhook):
            fate = self.rng.choice(("lost", "doubled", "late"))
        self.trace.append(f"{self.clock.true - BEGIN:14.3f}  webhook {delivery['id']:<8} {kind} {fate}".rstrip())
        return fate
