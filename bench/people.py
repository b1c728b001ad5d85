"""People who create the data of the benchmarks through the API."""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from bench.client import Connection

PASSWORD = "a long password for the benches"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """A person with an account."""

    id: int
    username: str
    token: str


def register(web: Connection, *, client: bool = False, freelancer: bool = False, country: str = "") -> Person:
    """Register a person and log in."""
    name = f"bench{next(_numbers)}{secrets.token_hex(3)}"
    body: dict[str, Any] = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    body |= {"is_client": client, "is_freelancer": freelancer}
    if country:
        body |= {"country": country}
    made = web.call("POST", "/api/auth/register/", body=body).expect(201).json()
    return Person(made["user"]["id"], name, made["access"])


def agree(web: Connection, client: Person, freelancer: Person) -> dict[str, Any]:
    """Post a task, apply for it and accept; return the application."""
    task = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}
    posted = web.call("POST", "/api/tasks/create/", token=client.token, body=task).expect(201).json()
    path = f"/api/tasks/{posted['id']}/apply/"
    application = web.call("POST", path, token=freelancer.token, body={}).expect(201).json()
    path = f"/api/tasks/applications/{application['id']}/accept/"
    return dict(web.call("POST", path, token=client.token, body={}).expect(200).json())


def intend(web: Connection, client: Person, freelancer: Person) -> dict[str, Any]:
    """Agree on a task and start its payment; return the intent, whose payment exists at the provider."""
    application = agree(web, client, freelancer)
    body = {"application_id": application["id"]}
    return dict(web.call("POST", "/payments/intents/create/", token=client.token, body=body).expect(201).json())
