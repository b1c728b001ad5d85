"""The marketplace over HTTP: post, apply, accept, work, and who may do what."""

from typing import Any

import pytest

from multitask.users.models import User
from tests.acceptance import clients
from tests.acceptance.clients import Caller

TASK = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}


def test_a_posted_task_shows_what_was_asked_for(client_user: Caller) -> None:
    answer = client_user.post("/api/tasks/create/", TASK | {"currency": "EUR", "deadline": "2100-01-31T12:00:00Z"})
    assert answer.status == 201
    task = answer.json
    assert (task["title"], task["budget"], task["currency"], task["status"]) == (
        "Draw a logo",
        "100.00",
        "EUR",
        "open",
    )
    assert (task["client"], task["client_username"]) == (client_user.user.pk, client_user.user.username)
    assert (task["freelancer"], task["accepted_application"], task["applications_count"]) == (None, None, 0)
    assert task["deadline"].startswith("2100-01-31T12:00:00")


@pytest.mark.parametrize(
    ("currency", "budget", "shown"),
    [("USD", "85", "85.00"), ("USD", 85.5, "85.50"), ("EUR", 100, "100.00")],
)
def test_a_budget_keeps_its_currencys_decimals(client_user: Caller, currency: str, budget: Any, shown: str) -> None:
    answer = client_user.post("/api/tasks/create/", TASK | {"currency": currency, "budget": budget})
    assert (answer.status, answer.json["budget"]) == (201, shown)


@pytest.mark.parametrize(("currency", "budget"), [("JPY", 100), ("KWD", "1.230"), ("IQD", "1000.000")])
def test_a_budget_in_a_currency_without_a_route_is_refused(client_user: Caller, currency: str, budget: Any) -> None:
    answer = client_user.post("/api/tasks/create/", TASK | {"currency": currency, "budget": budget})
    assert (answer.status, answer.code) == (422, "currency_unsupported")
    assert answer.json["fields"]["currency"].startswith(f"Payments in {currency} are not possible here")


def test_the_currency_is_the_clients_own_unless_named(db: None) -> None:
    swiss = clients.person(client=True, default_currency="CHF")
    assert swiss.post("/api/tasks/create/", TASK).json["currency"] == "CHF"


def test_an_accepted_application_sets_the_price_and_rejects_the_others(
    client_user: Caller, freelancer: Caller, stranger: Caller, open_task: dict[str, Any]
) -> None:
    path = f"/api/tasks/{open_task['id']}"
    mine = freelancer.post(f"{path}/apply/", {"proposed_amount": "80.00"}).json
    other = stranger.post(f"{path}/apply/", {"cover_letter": "Me too."}).json
    assert (mine["proposed_amount"], other["proposed_amount"]) == ("80.00", "100.00")

    accepted = client_user.post(f"/api/tasks/applications/{mine['id']}/accept/")

    assert (accepted.status, accepted.json["status"]) == (200, "accepted")
    task = client_user.get(f"{path}/").json
    assert (task["status"], task["freelancer"], task["agreed_price"]) == ("assigned", freelancer.user.pk, "80.00")
    assert (task["accepted_application"], task["applications_count"]) == (mine["id"], 2)
    listed = client_user.get(f"{path}/applications/").json
    assert {row["id"]: row["status"] for row in listed["results"]} == {
        mine["id"]: "accepted",
        other["id"]: "rejected",
    }


def test_the_same_decision_twice_is_a_conflict(client_user: Caller, application: dict[str, Any]) -> None:
    path = f"/api/tasks/applications/{application['id']}/accept/"
    assert client_user.post(path).status == 200
    again = client_user.post(path)
    assert (again.status, again.code) == (409, "task_not_open")


def test_a_rejected_application_cannot_be_accepted(client_user: Caller, application: dict[str, Any]) -> None:
    path = f"/api/tasks/applications/{application['id']}"
    assert client_user.post(f"{path}/reject/").json["status"] == "rejected"
    refused = client_user.post(f"{path}/accept/")
    assert (refused.status, refused.code) == (409, "application_not_pending")


def test_a_withdrawn_application_can_be_made_again(freelancer: Caller, application: dict[str, Any]) -> None:
    path = f"/api/tasks/{application['task']}/apply/"
    again = freelancer.post(path)
    assert (again.status, again.code) == (409, "already_applied")
    assert freelancer.post(f"/api/tasks/applications/{application['id']}/withdraw/").json["status"] == "withdrawn"
    anew = freelancer.post(path, {"proposed_amount": 90})
    assert (anew.status, anew.json["id"], anew.json["proposed_amount"], anew.json["status"]) == (
        201,
        application["id"],
        "90.00",
        "pending",
    )


def test_only_a_client_posts_and_only_a_freelancer_applies(
    client_user: Caller, freelancer: Caller, open_task: dict[str, Any]
) -> None:
    other_client = clients.person(client=True)
    posting = freelancer.post("/api/tasks/create/", TASK)
    applying = other_client.post(f"/api/tasks/{open_task['id']}/apply/")
    assert (posting.status, posting.code) == (403, "not_a_client")
    assert (applying.status, applying.code) == (403, "not_a_freelancer")


def test_nobody_is_both_sides_of_a_task(db: None) -> None:
    both = clients.person(client=True, freelancer=True)
    task = both.post("/api/tasks/create/", TASK).json
    answer = both.post(f"/api/tasks/{task['id']}/apply/")
    assert (answer.status, answer.code) == (422, "own_task")


def test_applying_for_an_assigned_task_is_refused(
    stranger: Caller, client_user: Caller, assigned_task: dict[str, Any]
) -> None:
    late = stranger.post(f"/api/tasks/{assigned_task['id']}/apply/")
    assert late.status == 404, "an assigned task is its parties' own affair"


def test_a_freelancer_who_left_cannot_be_accepted(client_user: Caller, application: dict[str, Any]) -> None:
    User.objects.filter(pk=application["freelancer"]).update(is_active=False)
    answer = client_user.post(f"/api/tasks/applications/{application['id']}/accept/")
    assert (answer.status, answer.code) == (409, "freelancer_unavailable")


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_only_the_tasks_client_decides(
    freelancer: Caller, stranger: Caller, finance: Caller, application: dict[str, Any], decision: str
) -> None:
    path = f"/api/tasks/applications/{application['id']}/{decision}/"
    assert freelancer.post(path).code == "not_your_part"
    assert finance.post(path).code == "not_your_part"
    assert stranger.post(path).code == "application_not_found"
    assert freelancer.get("/api/tasks/my-applications/").json["results"][0]["status"] == "pending"


def test_others_see_open_tasks_alone(stranger: Caller, support: Caller, assigned_task: dict[str, Any]) -> None:
    path = f"/api/tasks/{assigned_task['id']}/"
    assert stranger.get(path).status == 404
    assert stranger.get("/api/tasks/").json["count"] == 0
    assert support.get(path).status == 200
    assert support.get("/api/tasks/").json["count"] == 1


def test_a_freelancer_sees_his_own_application_alone(
    freelancer: Caller, stranger: Caller, open_task: dict[str, Any], application: dict[str, Any]
) -> None:
    stranger.post(f"/api/tasks/{open_task['id']}/apply/")
    rows = freelancer.get(f"/api/tasks/{open_task['id']}/applications/").json["results"]
    assert [row["id"] for row in rows] == [application["id"]]


def test_the_lists_hold_ones_own(
    client_user: Caller, freelancer: Caller, stranger: Caller, assigned_task: dict[str, Any]
) -> None:
    assert [row["id"] for row in client_user.get("/api/tasks/my-tasks/").json["results"]] == [assigned_task["id"]]
    assert [row["id"] for row in freelancer.get("/api/tasks/my-tasks/").json["results"]] == [assigned_task["id"]]
    assert stranger.get("/api/tasks/my-tasks/").json["count"] == 0
    assert freelancer.get("/api/tasks/my-applications/", {"status": "accepted"}).json["count"] == 1
    assert freelancer.get("/api/tasks/my-applications/", {"status": "pending"}).json["count"] == 0


def test_lists_come_in_pages_newest_first(client_user: Caller) -> None:
    ids = [client_user.post("/api/tasks/create/", TASK).json["id"] for _ in range(5)]
    first = client_user.get("/api/tasks/", {"page_size": 2}).json
    assert (first["count"], first["previous"]) == (5, None)
    second = client_user.get(first["next"]).json
    third = client_user.get(second["next"]).json
    assert third["next"] is None
    shown = [row["id"] for page in (first, second, third) for row in page["results"]]
    assert shown == ids[::-1]
    assert client_user.get(second["previous"]).json["results"] == first["results"]
    assert client_user.get("/api/tasks/", {"limit": 2, "page": 2}).json["results"] == second["results"]


def test_a_page_beyond_the_last_is_empty(client_user: Caller, open_task: dict[str, Any]) -> None:
    page = client_user.get("/api/tasks/", {"page": 99}).json
    assert (page["count"], page["results"], page["next"]) == (1, [], None)
    assert [row["id"] for row in client_user.get(page["previous"]).json["results"]] == [open_task["id"]]


def test_tasks_can_be_searched(client_user: Caller) -> None:
    client_user.post("/api/tasks/create/", TASK | {"title": "Paint a 100% blue door"})
    client_user.post("/api/tasks/create/", TASK)
    assert client_user.get("/api/tasks/", {"search": "BLUE"}).json["count"] == 1
    assert client_user.get("/api/tasks/", {"search": "100% bl"}).json["count"] == 1
    assert client_user.get("/api/tasks/", {"search": "door paint"}).json["count"] == 1
    assert client_user.get("/api/tasks/", {"search": "door green"}).json["count"] == 0
    assert client_user.get("/api/tasks/", {"search": "green"}).json["count"] == 0
    # There is no word in it.
    assert client_user.get("/api/tasks/", {"search": "%"}).json["count"] == 0


def test_a_script_in_a_title_is_kept_as_text(client_user: Caller) -> None:
    title = "<script>alert(1)</script>"
    answer = client_user.post("/api/tasks/create/", TASK | {"title": title})
    assert (answer.status, answer.json["title"]) == (201, title)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_description_keeps_its_lines(client_user: Caller) -> None:
    answer = client_user.post("/api/tasks/create/", TASK | {"description": " one\r\ntwo\n\tthree "})
    assert answer.json["description"] == "one\ntwo\n\tthree"
