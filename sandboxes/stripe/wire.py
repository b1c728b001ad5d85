"""The API on the network: reads a request, lets the pipeline answer it, or cuts its connection when a fault says so."""

from __future__ import annotations

import asyncio

from aiohttp import web

from sandboxes.stripe.errors import ApiError
from sandboxes.stripe.pipeline import CORS, Dropped, Pipeline, Reply, Request, refusal


class Wire:
    """Handles every request under `/v1/`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one request, or cut its connection."""
        if incoming.method == "OPTIONS":
            return web.Response(status=204, headers=CORS)
        try:
            reply = await self._answered(incoming)
        except Dropped:
            _cut(incoming)
            raise asyncio.CancelledError from None
        return web.Response(
            status=reply.status,
            body=reply.body,
            content_type="application/json",
            charset="utf-8",
            headers=reply.headers,
        )

    async def _answered(self, incoming: web.Request) -> Reply:
        request = _request(incoming)
        try:
            body = (await incoming.read()) if incoming.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return refusal(request, ApiError(413, "The request is too large.", saved=False))
        work = self.pipeline.begin(_request(incoming, body))
        if isinstance(work, Reply):
            return work
        try:
            await asyncio.sleep(work.delay)
        except BaseException:
            self.pipeline.give_up(work)
            raise
        return self.pipeline.finish(work)


def _request(incoming: web.Request, body: bytes = b"") -> Request:
    return Request(
        incoming.method,
        incoming.path,
        incoming.query_string,
        incoming.headers,
        body,
        incoming.content_type,
        incoming.remote,
    )


def _cut(incoming: web.Request) -> None:
    if incoming.transport is not None:
        incoming.transport.abort()
