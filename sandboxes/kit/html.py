"""The frame of a hosted page."""

from __future__ import annotations

import html
import secrets
from urllib.parse import parse_qsl

from aiohttp import web

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; background: Canvas; color: CanvasText; }
main { max-width: 30rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
p.test { background: #fff3c4; color: #523f00; padding: .5rem .75rem; border-radius: .4rem; }
label { display: block; margin: .9rem 0 .2rem; font-weight: 600; }
input, select { box-sizing: border-box; width: 100%; font: inherit; padding: .55rem .6rem; border: 1px solid #767676;
  border-radius: .4rem; background: Field; color: FieldText; }
input[type=checkbox] { width: auto; }
button { font: inherit; font-weight: 600; margin: 1.2rem .6rem 0 0; padding: .6rem 1.1rem; border-radius: .4rem;
  border: 1px solid #3d3dcc; background: #3d3dcc; color: #fff; cursor: pointer; }
button.plain { background: none; color: inherit; border-color: #767676; }
:focus-visible { outline: 3px solid #8a8af0; outline-offset: 2px; }
.error { color: #b3001b; font-weight: 600; }
@media (prefers-color-scheme: dark) { .error { color: #ff8a94; } }
"""


async def posted(request: web.Request) -> dict[str, str]:
    """Return the fields of a posted form. Raises 400 for a body that is no form."""
    try:
        return dict(parse_qsl((await request.read()).decode(), keep_blank_values=True))
    except ValueError as error:
        raise web.HTTPBadRequest(text="This form cannot be read.") from error


def sent_to(url: str) -> web.Response:
    """Return a redirect; raising one would roll back the transaction."""
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


def text(value: object) -> str:
    """Return text safe inside HTML and inside attributes."""
    return html.escape(str(value), quote=True)


NOTICE = "Sandbox: no real money, no real banks. Never type real data."
RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")


def page(
    title: str,
    body: str,
    *,
    status: int = 200,
    frames: str = "'none'",
    script: str = "",
    language: str = "en",
    notice: str = NOTICE,
) -> web.Response:
    """Return a page under a strict policy; `frames`: who may frame it; `script`: code of our own to run.

    `notice` is what every page says first, in the page's `language`.
    """
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    nonce = secrets.token_urlsafe(16)
    code = f'<script nonce="{nonce}">{script}</script>' if script else ""
    content = (
        f'<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{text(title)}</title><style nonce="{nonce}">{STYLE}</style></head>'
        f"<body><main><h1>{text(title)}</h1>"
        f'<p class="test">{text(notice)}</p>'
        f"{body}</main>{code}</body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self';"
        f" img-src 'self' data:; form-action *; base-uri 'none'; frame-ancestors {frames}; frame-src 'self'"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return web.Response(status=status, text=content, content_type="text/html", headers=headers)
