"""Half-sent bodies, slow readers, a slow provider and double clicks do not delay other requests.

The web server has four threads here, so each of these could occupy all of them. Tests that insert rows of which the
provider has no record come last.
"""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.test import Client

from multitask.users.models import User
from tests.acceptance import books, connections
from tests.acceptance.connections import LOGIN, WEBHOOK
from tests.acceptance.story import PASSWORD, Person, Story, give_float
from tests.acceptance.system import Answer, System, eventually, in_process
from tests.sandbox_process import ROOT

pytestmark = pytest.mark.django_db

THREADS = 4
PROVIDER_SECONDS = 12
# Generous on a busy machine, and less than one call to the slow provider takes.
IN_GOOD_TIME = 10.0


@pytest.fixture(scope="module")
def system(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with few threads and a short timeout for bodies."""
    web = {"WEB_THREADS": str(THREADS), "WEB_BODY_SECONDS": "5", "WEB_WAIT_SECONDS": "30"}
    with System(tmp_path_factory.mktemp("overload"), own_database, web_settings=web) as running:
        give_float(running)
        yield running


@pytest.fixture(autouse=True)
def _calm(system: System) -> Iterator[None]:
    yield
    system.sandbox.clear_faults()
    connections.until_idle(system)


@pytest.fixture(scope="module")
def person(system: System) -> Person:
    return Person(system, "client")


def assert_others_are_answered(system: System, person: Person) -> None:
    """Assert that other requests get a response in time."""
    for path in ("/healthz", "/readyz"):
        assert system.call("GET", path, seconds=IN_GOOD_TIME).status == 200
    assert person.ask("GET", "/payments/wallet/", seconds=IN_GOOD_TIME).status == 200
    login = {"username_or_email": person.name, "password": PASSWORD}
    assert system.call("POST", LOGIN, login, address=person.address, seconds=IN_GOOD_TIME).status == 200
    assert connections.deliver_event(system) == 200


@pytest.mark.parametrize("path", [LOGIN, WEBHOOK])
def test_half_sent_bodies_do_not_delay_others_and_end_with_408(system: System, person: Person, path: str) -> None:
    held = [connections.half_sent(system, path) for _ in range(64)]

    assert_others_are_answered(system, person)

    for connection in held:
        status, headers, body = connections.answer(connection)
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["code"] == "request_timeout"
        assert connection.recv(1) == b""
        connection.close()


def test_idle_and_abandoned_connections_do_not_delay_others(system: System, person: Person) -> None:
    """Idle, with an incomplete head, or closed during a body."""
    held = [connections.connect(system) for _ in range(300)]
    for connection in held[100:200]:
        connection.sendall(b"POST /api/auth/login/ HTTP/1.1\r\nHost: 127")
    for connection in held[200:]:
        connection.sendall(connections.head("POST", LOGIN, {"Content-Length": 500}) + b"{")
        connection.close()

    assert_others_are_answered(system, person)
    for connection in held[:200]:
        connection.close()


def test_a_body_that_ends_early_is_answered(system: System) -> None:
    """The caller closes its sending side and still reads."""
    connection = connections.half_sent(system, LOGIN)
    connection.shutdown(socket.SHUT_WR)
    status, headers, body = connections.answer(connection)
    assert (status, json.loads(body)["code"], headers["connection"]) == (400, "bad_request", "close")
    connection.close()


def test_a_body_in_pieces_is_accepted(system: System, person: Person) -> None:
    body = json.dumps({"username_or_email": person.name, "password": PASSWORD}).encode()
    connection = connections.connect(system)
    connection.sendall(connections.head("POST", LOGIN, {"Content-Length": len(body)}))
    for place in range(0, len(body), 10):
        # Each piece is seen to have arrived by itself before the next is sent.
        eventually(lambda: connections.gauge(system, "multitask_web_bodies_unfinished") == 1, "the body to be awaited")
        connection.sendall(body[place : place + 10])

    assert connections.answer(connection)[0] == 200
    connection.close()


def test_a_body_is_asked_for_only_when_it_is_wanted(system: System) -> None:
    """With `Expect: 100-continue` a body that is too large is never sent."""
    expect = {"Expect": "100-continue", "Content-Length": 1_000_001}
    status, _, body = connections.exchange(system, connections.head("POST", LOGIN, expect))
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")

    connection = connections.connect(system)
    connection.sendall(connections.head("POST", LOGIN, {"Expect": "100-continue", "Content-Length": 2}))
    assert connections.answer(connection)[0] == 100
    connection.sendall(b"{}")
    assert connections.answer(connection)[0] == 422
    connection.close()


def test_a_body_without_a_declared_length_is_refused(system: System) -> None:
    sent = connections.head("POST", LOGIN, {"Transfer-Encoding": "chunked"}) + b"2\r\n{}\r\n0\r\n\r\n"
    status, _, body = connections.exchange(system, sent)
    assert (status, json.loads(body)["code"]) == (411, "length_required")


def test_headers_with_an_underscore_are_ignored(system: System) -> None:
    """Or anybody could write the address that only a proxy may write."""
    stranger = ("X-Forwarded-For: 203.0.113.9", "X_Forwarded_For: 127.0.0.1")
    for lines in (stranger, reversed(stranger)):
        sent = "".join(f"{line}\r\n" for line in ("GET /metrics HTTP/1.1", "Host: 127.0.0.1", *lines))
        assert connections.exchange(system, sent.encode() + b"\r\n")[0] == 403


def test_head_is_answered_without_a_body(system: System) -> None:
    connection = connections.connect(system)
    for path in ("/healthz", "/openapi.json", "/"):
        connection.sendall(connections.head("HEAD", path))
        with connection.makefile("rb") as file:
            assert file.readline().split()[1] == b"200"
            lengths = [line for line in iter(file.readline, b"\r\n") if line.lower().startswith(b"content-length")]
            assert len(lengths) == 1
    # The next answer begins where the heads end.
    connection.sendall(connections.head("GET", "/healthz"))
    assert connections.answer(connection)[0] == 200
    connection.close()


def together(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Make all calls at the same moment."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        start.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def intend(story: Story) -> Answer:
    path, body = story.request("intend")
    return story.client.ask("POST", path, body, seconds=180)


def test_a_slow_provider_holds_up_only_those_who_need_it(system: System, person: Person) -> None:
    stories = [Story(system) for _ in range(8)]
    for story in stories:
        story.hire()
    system.sandbox.add_fault("delay", path="/v1/*", seconds=PROVIDER_SECONDS)
    answers: list[Answer] = []
    crowd = [lambda story=story: intend(story) for story in stories for _ in range(40)]
    asking = threading.Thread(target=lambda: answers.extend(together(crowd)))
    asking.start()
    eventually(
        lambda: connections.gauge(system, "multitask_web_requests_running", lane="provider") == THREADS // 2,
        "the provider's share of the threads to be busy",
    )

    assert_others_are_answered(system, person)
    assert connections.gauge(system, "multitask_web_requests_running", lane="provider") <= THREADS // 2

    system.sandbox.clear_faults()
    asking.join()
    refused = [answer for answer in answers if answer.status == 503]
    assert len(answers) == len(crowd)
    assert {answer.status for answer in answers} <= {200, 201, 503}
    assert refused
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert {answer.code for answer in refused} <= {"temporarily_unavailable", "provider_unavailable"}
    refused_at_once = "multitask_web_requests_refused_total"
    assert connections.gauge(system, refused_at_once, lane="provider", reason="full") > 0


def test_every_click_of_a_double_click_gets_the_winners_answer(system: System) -> None:
    story = Story(system)
    story.hire()

    answers = together([lambda: intend(story)] * 50)

    assert Counter(answer.status for answer in answers) == {201: 1, 200: 49}
    assert len({answer.body["payment_intent_id"] for answer in answers}) == 1
    story.fund()
    books.assert_equal(system)


def test_a_request_under_way_is_answered_when_the_server_stops(system: System) -> None:
    story = Story(system)
    story.hire()
    system.sandbox.add_fault("delay", path="/v1/*", seconds=2)
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(intend(story)))
    asking.start()
    eventually(
        lambda: connections.gauge(system, "multitask_web_requests_running", lane="provider") == 1,
        "the request to be under way",
    )

    system.web.stop()
    asking.join()

    try:
        assert [answer.status for answer in answers] == [201]
    finally:
        system.web.start()
        system.until_ready()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the operating system cannot do it")
def test_connections_that_read_nothing_are_closed(system: System, person: Person) -> None:
    """Though each of the responses is small enough to be handed to the connection at once."""
    system.web.stop()
    system.web.environment["WEB_SEND_SECONDS"] = "2"
    system.web.start()
    try:
        system.until_ready()
        held = [connections.connect(system, receive_buffer=4_096) for _ in range(64)]
        for connection in held:
            connection.sendall(connections.head("GET", "/openapi.json") * 40)
        ports = {connection.getsockname()[1] for connection in held}

        assert_others_are_answered(system, person)
        eventually(lambda: not ports & connections.established(system), "the connections to be closed")
        for connection in held:
            connection.close()
    finally:
        system.web.stop()
        del system.web.environment["WEB_SEND_SECONDS"]
        system.web.start()
        system.until_ready()


@pytest.fixture(scope="module")
def session(system: System, django_db_blocker: Any) -> str:
    """The cookie of a freelancer whose history makes an export of several megabytes."""
    payer, freelancer = Person(system, "client"), Person(system, "freelancer")
    with psycopg.connect(system.database_url) as database:
        database.execute(
            "CREATE TEMPORARY TABLE past ON COMMIT DROP AS "
            "SELECT %s::bigint AS client_id, %s::bigint AS freelancer_id, 4000 AS escrows",
            [payer.id, freelancer.id],
        )
        database.execute(Path(ROOT, "bench/long_history.sql").read_bytes())
    with django_db_blocker.unblock(), in_process(system):
        browser = Client()
        user = User.objects.get(pk=freelancer.id)
        browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def test_slow_readers_of_an_export_hold_no_thread(system: System, person: Person, session: str) -> None:
    asked = connections.head("GET", "/transactions/export/", {"Cookie": session})
    readers = [connections.connect(system, receive_buffer=4_096) for _ in range(2 * THREADS)]
    for reader in readers:
        reader.sendall(asked)
    for reader in readers:
        assert reader.recv(12) == b"HTTP/1.1 200"

    connections.until_idle(system)
    assert_others_are_answered(system, person)

    # A reader who is slow gets everything all the same; one who goes away leaves nothing behind.
    patient, *others = readers
    for other in others:
        other.close()
    with patient.makefile("rb") as file:
        header = b"".join(iter(file.readline, b"\r\n")).lower()
        length = int(header.partition(b"content-length:")[2].split()[0])
        assert len(file.read(length)) == length > 1_000_000
    patient.close()
