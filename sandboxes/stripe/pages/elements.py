"""The script for a platform's own pages, and the frame that holds its card inputs."""

from __future__ import annotations

import secrets
from pathlib import Path

from aiohttp import web

from sandboxes.kit.html import text

STATIC = Path(__file__).parent / "static"
_WORDS = {
    "en": ("Card number", "Expiry (MM / YY)", "Security code", "Name on card",
           "Your card number is incorrect.", "Your card's expiry date is incomplete or past.",
           "Your card's security code is incomplete."),
    "ar": ("رقم البطاقة", "تاريخ الانتهاء (شهر / سنة)", "رمز الأمان", "الاسم على البطاقة",
           "رقم البطاقة غير صحيح.", "تاريخ انتهاء البطاقة ناقص أو منتهٍ.", "رمز الأمان ناقص."),
    "de": ("Kartennummer", "Ablaufdatum (MM / JJ)", "Prüfnummer", "Name auf der Karte",
           "Die Kartennummer ist falsch.", "Das Ablaufdatum ist unvollständig oder vorbei.",
           "Die Prüfnummer ist unvollständig."),
    "fr": ("Numéro de carte", "Expiration (MM / AA)", "Code de sécurité", "Nom sur la carte",
           "Le numéro de la carte est incorrect.", "La date d'expiration est incomplète ou passée.",
           "Le code de sécurité est incomplet."),
}  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; font: var(--fontSizeBase, 16px)/1.4 var(--fontFamily, system-ui, sans-serif); }
html, body { margin: 0; background: transparent; color: var(--colorText, CanvasText); }
form { display: grid; grid-template-columns: 1fr 1fr; gap: .7rem; padding: 4px; }
.wide { grid-column: 1 / -1; }
label { display: block; font-size: .9em; margin-bottom: .2rem; }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .7rem; border: 1px solid #767676;
  border-radius: var(--borderRadius, .4rem); background: var(--colorBackground, Field); color: inherit; }
input:focus-visible { outline: 2px solid var(--colorPrimary, #3d3dcc); outline-offset: 1px; }
input[aria-invalid="true"] { border-color: var(--colorDanger, #b3001b); }
#complaint { color: var(--colorDanger, #b3001b); margin: 0; min-height: 1.4em; grid-column: 1 / -1; }
"""


class ElementPages:
    """Serves the script and the frame."""

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        return [
            web.get("/v1/stripe.js", self.script),
            web.get("/v3/", self.script),
            web.get("/elements/frame.js", self.frame_script),
            web.get("/elements/frame", self.frame),
        ]

    async def script(self, _request: web.Request) -> web.StreamResponse:
        """Serve the script."""
        return _javascript("stripe.js")

    async def frame_script(self, _request: web.Request) -> web.StreamResponse:
        """Serve the code of the frame."""
        return _javascript("frame.js")

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """Serve the frame: card inputs, or an empty page for calls without an element."""
        nonce = secrets.token_urlsafe(16)
        language = request.query.get("locale", "auto").partition("-")[0]
        if language not in _WORDS:
            language = "en"
        body = "" if request.query.get("controller") else _inputs(language)
        direction = "rtl" if language == "ar" else "ltr"
        content = (
            f'<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
            f'<title>Card</title><style nonce="{nonce}">{_STYLE}</style></head><body>{body}'
            '<script src="/elements/frame.js"></script></body></html>'
        )
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'nonce-{nonce}'; connect-src 'self';"
            " base-uri 'none'; form-action 'none'; frame-ancestors *"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return web.Response(text=content, content_type="text/html", headers=headers)


def _inputs(language: str) -> str:
    number, expiry, code, name, wrong_number, wrong_expiry, wrong_code = map(text, _WORDS[language])
    return (
        '<form id="card" novalidate>'
        + _input("number", number, wrong_number, "cc-number", "4242 4242 4242 4242", wide=True)
        + _input("expiry", expiry, wrong_expiry, "cc-exp", "12 / 34")
        + _input("cvc", code, wrong_code, "cc-csc", "123")
        + _input("name", name, "", "cc-name", "", wide=True, mode="text")
        + '<p id="complaint" role="alert"></p></form>'
    )


def _input(
    name: str, label: str, wrong: str, autocomplete: str, example: str, *, wide: bool = False, mode: str = "numeric"
) -> str:
    span = ' class="wide"' if wide else ""
    direction = ' dir="ltr"' if mode == "numeric" else ""
    return (
        f'<div{span}><label for="{name}">{label}</label><input id="{name}" name="{name}" inputmode="{mode}"'
        f' autocomplete="{autocomplete}" placeholder="{example}" data-complaint="{wrong}"'
        f' aria-describedby="complaint" aria-invalid="false"{direction}></div>'
    )


def _javascript(name: str) -> web.Response:
    headers = {
        "Cache-Control": "no-cache",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return web.Response(text=(STATIC / name).read_text(), content_type="text/javascript", headers=headers)
