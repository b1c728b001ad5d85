"""People with accounts, who retry requests without a response and sign in again after a session ended."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from multitask.users import credentials
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.simulation import web
from tests.simulation.story import Broken, Story
from tests.simulation.tasks import Crash
from tests.simulation.web import Answer
from tests.staff import totp

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
TRIES = 7
# What staff is answered whose second factor was not proved lately.
UNPROVED = frozenset({"reauth_required", "second_factor_required"})
HALF_A_MINUTE = 30


class Person:
    """One person; `can` are the roles: client, freelancer."""

    def __init__(self, story: Story, name: str, *can: str) -> None:
        self.story, self.name, self.can = story, name, can
        self.address = f"198.51.100.{story.number() % 250 + 1}"
        self.password = "Correct-horse-9-battery"
        self.access = self.refresh_token = ""
        self.id = 0
        # The key of the app that shows the codes of a second factor, and the half minute of the last code.
        self.app = b""
        self._shown = 0

    # -- asking

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Answer | None:
        """Ask once; None when no answer comes."""
        answer = self._asked(method, path, body, key)
        if answer is not None and self.id and (answer.status == 401 or answer.code in UNPROVED):
            self.sign_in()
            answer = self._asked(method, path, body, key)
        return answer

    def _asked(self, method: str, path: str, body: Any, key: str) -> Answer | None:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.access}"} if self.access else {}
        if key:
            headers["HTTP_IDEMPOTENCY_KEY"] = key
        self.story.pass_by(0.01 + 0.05 * self.story.rng.random())
        data = b"" if method == "GET" else json.dumps(body or {}).encode()
        try:
            answer = web.ask(method, path, data, address=self.address, **headers)
        except Crash:
            self._say(method, path, "no answer")
            return None
        if answer.status == 500:
            raise Broken(f"{self.name} {method} {path} was answered {answer.status} {answer.body}")
        if self.story.chance(0 if self.story.is_calm else self.story.conditions.silence):
            self._say(method, path, f"{answer.status}, not heard")
            return None
        self._say(method, path, f"{answer.status} {answer.code}".strip())
        return answer

    def _say(self, method: str, path: str, outcome: str) -> None:
        self.story.say(f"{self.name} {method} {_UUID.sub('..', path)} -> {outcome}")

    def get(self, path: str) -> Any:
        """Read something; None when it cannot be read now."""
        answer = self.ask("GET", path)
        return answer.body if answer is not None and answer.is_done else None

    def post(self, path: str, body: Any = None, *, key: str = "", tries: int = TRIES) -> Answer | None:
        """Retry until there is a final response; None if there is none."""
        answer: Answer | None = None
        for attempt in range(tries):
            answer = self.ask("POST", path, body, key=key)
            if answer is not None and answer.status < 500 and answer.code != "idempotency_in_flight":
                return self._again(path, body, key, answer)
            self.story.rest(2.0 * 3**attempt)
        return None

    def _again(self, path: str, body: Any, key: str, first: Answer) -> Answer:
        """Sometimes ask once more with the same key: the answer has to be the same."""
        if not key or not first.is_done or not self.story.chance(0.15):
            return first
        second = self.ask("POST", path, body, key=key)
        # A 401 says that the sign-in in between failed.
        is_final = second is not None and second.status < 500 and second.status != 401
        if second is not None and is_final and second.code != "idempotency_in_flight":
            same = (second.status == first.status) and _named(second.body) == _named(first.body)
            if not same:
                raise Broken(f"{path} with the same key was answered {first} and then {second}")
        return first

    def must_not(self, method: str, path: str, body: Any = None) -> None:
        """Try what is not allowed."""
        if not self.id:
            self.register()
        answer = self.ask(method, path, body)
        if answer is not None and (answer.is_done or answer.status not in {400, 401, 403, 404, 409, 422, 429, 503}):
            raise Broken(f"{self.name} may not {method} {path} {body}, and was answered {answer}")

    def key(self) -> str:
        """A new Idempotency-Key."""
        return f"{self.name}-{self.story.number()}"

    # -- the account

    def register(self) -> None:
        """Open the account; the first answer may be lost."""
        body = {"username": self.name, "email": f"{self.name}@example.com", "password": self.password}
        body |= {f"is_{role}": True for role in self.can}  # type: ignore[misc]
        if self.id:
            return
        while not self.id:
            answer = self.ask("POST", "/api/auth/register/", body)
            if answer is not None and answer.is_done:
                self._signed_in(answer)
            elif answer is not None and answer.code in {"username_taken", "email_taken"}:
                self.sign_in()
            else:
                self.story.rest(5)
        self.story.responses.record(self.name, "registered", lambda: User.objects.filter(pk=self.id).exists())

    def sign_in(self) -> None:
        """Begin a session, by the refresh token if there is one that is good."""
        if self.refresh_token and not self.app and self.story.chance(0.5):
            self.access, token = "", self.refresh_token
            self.refresh_token = ""
            answer = self._asked("POST", "/api/auth/token/refresh/", {"refresh": token}, "")
            if answer is not None and answer.is_done:
                self.access, self.refresh_token = answer.body["access"], answer.body["refresh"]
                return
        for attempt in range(2 * TRIES):
            self.access = ""
            body = {"username": self.name, "password": self.password} | self._code()
            answer = self._asked("POST", "/api/auth/login/", body, "")
            if answer is not None and answer.is_done:
                self._signed_in(answer)
                return
            # A code counts once, so after our clock was set back there is none until it has caught up.
            if answer is not None and answer.status in {401, 403} and answer.code != "otp_invalid":
                raise Broken(f"{self.name} cannot sign in: {answer}")
            self.story.rest(60.0 * (attempt + 1))

    def _code(self) -> dict[str, str]:
        """What the app shows, where there is one; a person waits until it shows another code than the last one."""
        if not self.app:
            return {}
        if int(self.story.now // HALF_A_MINUTE) == self._shown:
            self.story.rest(HALF_A_MINUTE)
        self._shown = int(self.story.now // HALF_A_MINUTE)
        return {"otp": totp(self.app, self.story.now)}

    def _signed_in(self, answer: Answer) -> None:
        self.access, self.refresh_token = answer.body["access"], answer.body["refresh"]
        self.id = answer.body["user"]["id"]

    def sign_out(self) -> None:
        """End the session: after the answer its tokens are worth nothing."""
        access, refresh = self.access, self.refresh_token
        answer = self.ask("POST", "/api/auth/logout/", {"refresh": refresh} if refresh else {})
        self.access = self.refresh_token = ""
        if answer is not None and answer.is_done:
            self._must_be_over(access, refresh)
        self.sign_in()

    def change_password(self) -> None:
        """Choose another password: after that every session is over."""
        access, refresh = self.access, self.refresh_token
        other = f"Another-staple-{self.story.number()}-horse"

        def change() -> object:
            user = User.objects.get(pk=self.id)
            actor = Actor.of(user, ip=self.address)
            now = datetime.fromtimestamp(self.story.now, UTC)
            return credentials.change_password(actor=actor, now=now, current=self.password, password=other)

        if not self.command("change_password", change):
            # Whether it took effect nobody knows: the other password is tried first.
            self.password = other if User.objects.get(pk=self.id).check_password(other) else self.password
        else:
            self.password = other
            self._must_be_over(access, refresh)
        self.access = self.refresh_token = ""
        self.sign_in()

    def _must_be_over(self, access: str, refresh: str) -> None:
        stranger = Person(self.story, self.name)
        stranger.address, stranger.access = self.address, access
        answer = stranger._asked("GET", "/api/auth/profile/", None, "")
        if answer is not None and answer.is_done:
            raise Broken(f"an access token of {self.name} still works after its session ended")
        stranger.access = ""
        if refresh:
            answer = stranger._asked("POST", "/api/auth/token/refresh/", {"refresh": refresh}, "")
            if answer is not None and answer.is_done:
                raise Broken(f"a refresh token of {self.name} still works after its session ended")

    def command(self, name: str, work: "Callable[[], object]") -> bool:
        """Do by a command of ours what has no address in the API; False when it was not done, or nobody knows."""
        try:
            work()
        except Crash:
            web.forget()
            self.story.say(f"{self.name} {name} -> no answer")
            return False
        except Exception as error:
            code = getattr(error, "code", "")
            self.story.say(f"{self.name} {name} -> {code or type(error).__name__}")
            if not code and type(error).__name__ not in {"OutcomeUnknown", "OperationalError"}:
                raise
            return False
        self.story.say(f"{self.name} {name} -> done")
        return True


def _named(body: Any) -> list[Any]:
    """Which objects an answer is about."""
    found: list[Any] = []
    for name, value in sorted(body.items()) if isinstance(body, dict) else ():
        if isinstance(value, dict):
            found += _named(value)
        elif name.endswith("_id") and value and not name.startswith("stripe_"):
            found.append((name, value))
    return found
