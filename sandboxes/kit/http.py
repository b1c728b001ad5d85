"""The API over HTTP: pass each request to the pipeline and send its response, or close the connection for a fault."""

from __future__ import annotations

import asyncio

from aiohttp import web

from sandboxes.kit.api import Request
from sandboxes.kit.errors import ApiError
from sandboxes.kit.pipeline import Dropped, Pipeline, Reply
from sandboxes.kit.uploads import MULTIPART

MAX_FORM = 1024 * 1024
MAX_UPLOAD = 16 * 1024 * 1024


class ApiHandler:
    """Handles every request to a provider's API."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        """Handle one request: send its response, or close its connection."""
        if incoming.method == "OPTIONS":
            return web.Response(status=204, headers=self.pipeline.api.preflight)
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
        try:
            body = (await incoming.read()) if incoming.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return self._refuse_size(incoming)
        if len(body) > MAX_FORM and incoming.content_type != MULTIPART:
            return self._refuse_size(incoming)
        work = self.pipeline.begin(_request(incoming, body))
        if isinstance(work, Reply):
            return work
        try:
            await asyncio.sleep(work.delay)
        except BaseException:
            self.pipeline.give_up(work)
            raise
        return self.pipeline.finish(work)

    def _refuse_size(self, incoming: web.Request) -> Reply:
        return self.pipeline.refuse(_request(incoming), ApiError(413, "The request is too large.", saved=False))


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
