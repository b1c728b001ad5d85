"""Plays stories one after the other: people act in turns, then failures stop, then the checks run."""

import time
from dataclasses import dataclass

from django.conf import settings

from tests.simulation import checks, interruptions, network, web
from tests.simulation.clock import Clock
from tests.simulation.conditions import DAY, HOUR
from tests.simulation.database import Emptied
from tests.simulation.deal import Deal
from tests.simulation.egypt import course as egypt
from tests.simulation.egypt.banks import Banks
from tests.simulation.egypt.deal import EgyptDeal
from tests.simulation.egypt.office import EgyptStaff
from tests.simulation.egypt.paymob import Paymob
from tests.simulation.losses import Losses
from tests.simulation.mishaps import Mishaps
from tests.simulation.people import Person
from tests.simulation.sabotage import Sabotage
from tests.simulation.scenarios import PAUSES, play
from tests.simulation.situations import Situations
from tests.simulation.staff import Staff
from tests.simulation.story import Broken, Story
from tests.simulation.tasks import Task, Turns

MOST_TURNS = 20_000
# In the calm a worker and the staff look at what waits after so many seconds. It lasts until the rarest look at the
# provider has come round, and for as long as something waits: everything has to be at an end before its last moment.
CALM_AT_LEAST = 26 * HOUR
CALM = (CALM_AT_LEAST, 4 * DAY, 9 * DAY, 15 * DAY, 16 * DAY, 30 * DAY, 32 * DAY, 45 * DAY)


# There more has to happen one after the other: a client's destination, its cool-down, a top-up, a payout, a poll.
EGYPTIAN_CALM = (*(CALM_AT_LEAST + one * DAY / 2 for one in range(40)), *(25 * DAY + one * DAY for one in range(36)))
ROUTES = {"EGP": {"provider": "paymob", "kind": "platform"}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a story: faults, steps, and the number of checked responses."""

    number: int
    wrong: list[str]
    trace: list[str]
    responses: int
    seconds: float


class Player:
    """Plays the stories of one seed in one database."""

    def __init__(self, seed: int, sabotage: Sabotage) -> None:
        self.seed, self.sabotage = seed, sabotage
        self.clock = Clock()
        self._emptied = Emptied()

    def play(self, number: int) -> Outcome:
        """Play one story."""
        began = time.process_time()
        self._emptied()
        web.forget()
        self.clock.begin()
        turns = Turns(self.clock)
        secrets = (settings.STRIPE_WEBHOOK_SECRET, settings.STRIPE_CONNECT_WEBHOOK_SECRET)
        with self.clock.running(turns.sleep):
            story = Story(self.seed, number, turns, secrets, self.sabotage)
            settings.ROUTES = ROUTES if story.is_egyptian else {}
            settings.PAYOUT_FEE_RESERVE_MINOR = story.fate.choice((0, 6_000)) if story.is_egyptian else 0
            settings.PAYMOB_SECRET_KEY = "egy_sk_test_simulation" if story.is_egyptian else ""
            interruptions.observe(story.reach)
            network.carry(story.carry)
            try:
                wrong = Course(story).run()
            except Broken as broken:
                wrong = [str(broken)]
            finally:
                story.is_calm = True
                turns.end()
                interruptions.observe(None)
                network.carry(None)
                story.provider.close()
                if story.paymob is not None:
                    story.paymob.close()
        return Outcome(number, wrong, story.trace, story.responses.number, time.process_time() - began)


class Course:
    """The course of one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.mishaps: Mishaps | Banks = Mishaps(story)
        self.losses = Losses(story)
        self.situations = Situations(story, self.losses)
        self.staff = Staff(story) if story.paymob is None else self._in_egypt(story.paymob)
        self._turns = 0

    def _in_egypt(self, paymob: Paymob) -> EgyptStaff:
        self.mishaps = Banks(self.story, paymob)
        return EgyptStaff(self.story, paymob, self.mishaps)

    def run(self) -> list[str]:
        """Run all people to their end, then a calm period without failures; return the faults found."""
        people = self._people()
        office = self.story.turns.begin("office", lambda: self.staff.work(lambda: False))
        while any(not task.is_done for task in people):
            self._turn()
        self.story.turns.kill(office)
        return self._calm()

    def _people(self) -> list[Task]:
        """One to three tasks; clients and freelancers may have more than one."""
        story = self.story
        # What is owed is netted from a later release, so there are more tasks where money comes back.
        number = story.rng.choice((1, 1, 2) if story.loses else (1,) * 10 + (2, 3))
        clients = [Person(story, f"client{one}", "client") for one in range(1, number + 1)]
        freelancers = [Person(story, f"freelancer{one}", "freelancer") for one in range(1, number + 1)]
        stranger = Person(story, "stranger", "client", "freelancer")
        begun: list[Task] = []
        for one in range(number):
            client, freelancer = story.rng.choice(clients[: one + 1]), story.rng.choice(freelancers[: one + 1])
            begun.append(story.turns.begin(f"task {one + 1}", lambda c=client, f=freelancer: self._act(c, f, stranger)))
        return begun

    def _act(self, client: Person, freelancer: Person, stranger: Person) -> None:
        for person in (client, freelancer):
            person.register()
        self.story.rest(self.story.rng.choice(PAUSES))
        if isinstance(self.staff, EgyptStaff):
            self._act_in_egypt(self.staff, client, freelancer, stranger)
        else:
            play(Deal(self.story, client, freelancer, stranger, self.losses), self.situations)

    def _act_in_egypt(self, staff: EgyptStaff, client: Person, freelancer: Person, stranger: Person) -> None:
        """Play one task, and perhaps another for a client whose page may offer a saved card then."""
        for _ in range(2):
            deal = EgyptDeal(self.story, client, freelancer, stranger, self.losses, staff.paymob)
            staff.deals.append(deal)
            egypt.play(deal)
            if not deal.has_saved_card or self.story.chance(0.4):
                break

    def _turn(self) -> None:
        self._count()
        self.mishaps.draw()
        self.losses.draw()
        self.situations.draw()
        if not self.story.turn():
            self.story.jump()
        if self.story.chance(0.01):
            self._prove_books()

    def _count(self) -> None:
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Broken(f"after {MOST_TURNS} turns there is no end")

    def _prove_books(self) -> None:
        wrong = [*checks.conservation(), *checks.held_of_others()]
        if wrong:
            raise Broken(f"in between: {wrong}")

    def _calm(self) -> list[str]:
        """Without further failures, everything has to finish within bounded time."""
        story = self.story
        story.say("calm")
        story.is_calm = True
        story.clock.step(0)
        self.mishaps.end()
        self.losses.end()
        self.situations.end()
        began = story.clock.true
        for passed in EGYPTIAN_CALM if story.is_egyptian else CALM:
            self._work_until(began + passed)
            story.chores()
            self._work_until(began + passed)
            if story.reads_statements:
                # Each call lets the provider do what has become due, and that is waited for as well.
                checks.read_statements(story)
            if next(checks.unfinished(story), None) is None and not self.staff.has_records_due:
                # Nothing has happened since the statements were read.
                return checks.all_of(story, is_read=True)
            story.turns.begin("office", self.staff.answer)
            self._work_until(began + passed)
        return checks.all_of(story)

    def _work_until(self, moment: float) -> None:
        """Run everything that is due up to a true moment."""
        story = self.story
        while (has_turned := story.turn()) or story.clock.true < moment:
            self._count()
            if not has_turned:
                story.jump(moment)
