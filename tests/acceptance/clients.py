"""Users of the HTTP API, each with a token."""

import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from multitask.users import sessions
from multitask.users.models import StaffRole, User
from multitask.web.api import document, tokens, urls
from tests import staff

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, and the body read as JSON."""

    status: int
    headers: Any
    json: Any
    content: bytes

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["code"])


class Caller:
    """Sends JSON, with a bearer token if it was given one."""

    def __init__(self, http: Client, *, token: str | None = None, user: User | None = None) -> None:
        self.http = http
        self.token = token
        self._user = user

    @property
    def user(self) -> User:
        """The person, as the database now has him."""
        assert self._user is not None, "this caller has no account"
        return User.objects.get(pk=self._user.pk)

    def get(self, path: str, query: Any = None, **headers: str) -> Answer:
        return self._answer(self.http.get(path, query, headers=self._headers(headers)))

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.send("POST", path, json.dumps({} if body is None else body), **headers)

    def delete(self, path: str, raw: str = "", **headers: str) -> Answer:
        return self.send("DELETE", path, raw, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.send("PATCH", path, json.dumps(body), **headers)

    def send(
        self, method: str, path: str, raw: str | bytes, *, content_type: str = "application/json", **headers: str
    ) -> Answer:
        """Send a body exactly as it is; header names are written with underscores."""
        return self._answer(
            self.http.generic(method, path, raw, content_type=content_type, headers=self._headers(headers))
        )

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        own = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return own | {name.replace("_", "-"): value for name, value in more.items()}

    @staticmethod
    def _answer(response: Any) -> Answer:
        is_json = "json" in response.headers.get("Content-Type", "")
        body = json.loads(response.content) if is_json else None
        asked = response.wsgi_request
        assert_refusal_is_documented(_as_documented(asked.resolver_match), asked.method, response.status_code, body)
        return Answer(response.status_code, response.headers, body, response.content)


def person(*, client: bool = False, freelancer: bool = False, staff_role: str = "", **fields: Any) -> Caller:
    """Make an account and log it in; staff with a code of its second factor."""
    number = next(_numbers)
    name = fields.pop("username", f"person{number}")
    user = User.objects.create_user(
        name,
        fields.pop("email", f"{name}@example.com"),
        None,
        is_client=client,
        is_freelancer=freelancer,
        staff_role=staff_role,
        is_staff=bool(staff_role),
        is_superuser=staff_role == StaffRole.ADMIN,
        **fields,
    )
    return of(user)


def of(user: User) -> Caller:
    """Log an account in; staff with a code of its second factor."""
    staff_role, now = user.staff_role, timezone.now()
    proved_by = staff.enrol(user) if staff_role else None
    session = sessions.begin(user_id=user.pk, now=now, lifetime=tokens.refresh_lifetime(), proved_by=proved_by)
    access = tokens.access_for(session, now=now, proved_at=now if staff_role else None)
    return Caller(_http(), token=access, user=user)


def visitor() -> Caller:
    """Make a caller without an account."""
    return Caller(_http())


def _http() -> Client:
    # A fault of ours has to come back as the answer that a caller would see.
    return Client(raise_request_exception=False)


def assert_refusal_is_documented(path: str, method: str, status: int, body: Any) -> None:
    """Assert that the OpenAPI document lists the error code for this operation; `path` is as in the document."""
    operation = document.openapi(urls.api)["paths"].get(path, {}).get(method.lower())
    if operation is not None and isinstance(body, dict) and "code" in body and status not in (405, 500):
        answers = {int(number): found for number, found in operation["responses"].items()}
        named = answers.get(status, {}).get("x-codes", [])
        assert body["code"] in named, f"{operation['operationId']} answered {status} {body['code']}, one of {named}"


def _as_documented(match: Any) -> str:
    """The path of an operation as the document writes it."""
    return "" if match is None else "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
