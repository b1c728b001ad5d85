"""The steps of a request: read it, find its endpoint, apply a fault, claim its key, run the endpoint, respond.

This module does not depend on the transport: `sandboxes/kit/http.py` reads requests from the network, and a program
that runs the sandbox in its own process calls `begin` and `finish`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from sandboxes.kit import routing
from sandboxes.kit.api import Answer, Api, Request
from sandboxes.kit.call import Call
from sandboxes.kit.errors import ApiError
from sandboxes.kit.faults import Fault

log = logging.getLogger("sandboxes")


class Dropped(Exception):
    """The connection is closed without a response."""


@dataclass(frozen=True)
class Reply:
    """A response as it is sent."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Work:
    """An accepted request whose endpoint has not run yet."""

    request: Request
    call: Call
    route: routing.Route
    fault: Fault | None

    @property
    def delay(self) -> float:
        """Return the seconds by which a fault delays the request before its endpoint runs."""
        return self.fault.seconds if self.fault and self.fault.kind == "delay" else 0.0


class Pipeline:
    """Handles requests to an API in two steps; between them a request is in progress and its key claimed."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.sandbox = api.sandbox

    def begin(self, request: Request, *, fault: Fault | None = None) -> Work | Reply:
        """Accept a request, or respond at once. `fault` replaces the fault rules. Raises Dropped."""
        request_id = self.api.new_request_id()
        try:
            begun = self._accepted(request, request_id, fault)
        except ApiError as error:
            begun = self._failed(error, request_id)
        except Dropped:
            raise
        except Exception:
            log.exception("request %s failed", request_id)
            begun = self._failed(self.api.broken(), request_id)
        return self._reply(request, begun, request_id) if isinstance(begun, Answer) else begun

    def finish(self, work: Work) -> Reply:
        """Run the endpoint of an accepted request and return the response. Raises Dropped."""
        request_id = work.call.request_id
        # Timers that are already due come first, so that the order of objects is that of their moments.
        self.sandbox.run_due()
        try:
            answer = self._with_fault(work)
        except ApiError as error:
            answer = self._failed(error, request_id)
        except Dropped:
            raise
        except Exception:
            log.exception("request %s failed", request_id)
            answer = self._failed(self.api.broken(), request_id)
        finally:
            self.give_up(work)
        return self._reply(work.request, answer, request_id)

    def give_up(self, work: Work) -> None:
        """Release the key of a request whose endpoint will not run any more."""
        self.api.release(work.call)

    def refuse(self, request: Request, error: ApiError) -> Reply:
        """Return the response to a request that cannot be read."""
        request_id = self.api.new_request_id()
        return self._reply(request, self._failed(error, request_id), request_id)

    def _accepted(self, request: Request, request_id: str, fault: Fault | None) -> Work | Answer:
        call = self.api.read(request, request_id)
        route = routing.match(self.api.routes, request.method, request.path)
        if route is None:
            raise self.api.unknown_path(call)
        if call.publishable and not route.publishable:
            raise self.api.needs_secret_key()
        fault = fault or self._fault(call)
        if fault and fault.kind == "drop_request":
            raise Dropped
        if fault and fault.kind == "rate_limit":
            raise self.api.rate_limited(call)
        return self.api.claim(call) or Work(request, call, route, fault)

    def _fault(self, call: Call) -> Fault | None:
        with self.sandbox.store.transaction():
            return self.sandbox.faults.for_request(call.method, call.path)

    def _with_fault(self, work: Work) -> Answer:
        kind = work.fault.kind if work.fault else None
        if kind == "error_before":
            with self.sandbox.store.transaction():
                return self._kept(work, self._failed(self.api.broken(), work.call.request_id))
        answer = self._effect(work, broken=kind == "error_after")
        self.sandbox.run_due()
        if kind == "drop_response":
            raise Dropped
        return answer

    def _effect(self, work: Work, *, broken: bool) -> Answer:
        """Run the endpoint and store its answer under its key, in one transaction."""
        sandbox, call = self.sandbox, work.call
        sandbox.call = call
        try:
            with sandbox.store.transaction():
                try:
                    answer = Answer(work.route.status, encode(self.api.result(call, work.route)), call.request_id)
                except ApiError as error:
                    if not error.keep_effects:
                        raise
                    answer = self._failed(error, call.request_id)
                return self._kept(work, self._failed(self.api.broken(), call.request_id) if broken else answer)
        except ApiError as error:
            answer = self._failed(error, call.request_id)
            if error.saved:
                with sandbox.store.transaction():
                    self._kept(work, answer)
            return answer
        finally:
            sandbox.call = None

    def _kept(self, work: Work, answer: Answer) -> Answer:
        self.api.keep(work.call, answer)
        return answer

    def _failed(self, error: ApiError, request_id: str) -> Answer:
        return Answer(error.status, encode(self.api.error_body(error, request_id)), request_id)

    def _reply(self, request: Request, answer: Answer, request_id: str) -> Reply:
        # An error may quote a header that is not valid text.
        body = answer.body.encode(errors="replace")
        return Reply(answer.status, body, self.api.headers(request, answer, request_id))


def encode(body: object) -> str:
    """Return the JSON text of an answer."""
    return json.dumps(body, ensure_ascii=False)
