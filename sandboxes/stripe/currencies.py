"""Currencies as Stripe counts them: decimals, minimum charges, and amounts that have to be round."""

from __future__ import annotations

_ZERO_WORDS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
ZERO_DECIMAL = frozenset(_ZERO_WORDS.split())
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# Charged in whole units although they are counted in hundredths.
WHOLE_UNITS = frozenset(("isk", "ugx"))
# Manual payouts are in whole units only.
WHOLE_UNIT_PAYOUTS = frozenset(("huf", "twd"))
_TWO_WORDS = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc "
    "cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr "
    "kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk "
    "php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd "
    "uyu uzs wst xcd yer zar zmw"
)
_TWO_DECIMAL = frozenset(_TWO_WORDS.split())
_LEAST = {
    **dict.fromkeys(("usd", "eur", "cad", "aud", "chf", "brl", "inr", "nzd", "sgd"), 50),
    **dict.fromkeys(("dkk",), 250),
    **dict.fromkeys(("nok", "sek"), 300),
    **dict.fromkeys(("aed", "pln", "ron", "myr"), 200),
    "bgn": 100, "czk": 1500, "gbp": 30, "hkd": 400, "huf": 17500, "jpy": 50, "mxn": 1000, "thb": 1000,
}  # fmt: skip


def known(currency: str) -> bool:
    """Return whether Stripe charges in this currency."""
    return currency in ZERO_DECIMAL or currency in THREE_DECIMAL or currency in _TWO_DECIMAL


def decimals(currency: str) -> int:
    """Return how many decimals the minor unit has at Stripe."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def least_charge(currency: str) -> int:
    """Return the smallest amount that a card can be charged, in minor units."""
    return _LEAST.get(currency, 1)


def most_charge(currency: str) -> int:
    """Return the largest amount that can be charged, in minor units: eight digits, of rupiah twelve."""
    return 999_999_999_999 if currency == "idr" else 99_999_999


def step(currency: str) -> int:
    """Return the step that an amount has to be a multiple of, in minor units."""
    if currency in WHOLE_UNITS:
        return 100
    return 10 if currency in THREE_DECIMAL else 1


def payout_step(currency: str) -> int:
    """Return the step that the amount of a manual payout has to be a multiple of, in minor units."""
    return 100 if currency in WHOLE_UNIT_PAYOUTS else step(currency)


def shown(amount: int, currency: str) -> str:
    """Return the amount as Stripe writes it in messages: `$12.34`, `12.34 sek`."""
    places = decimals(currency)
    text = f"{amount // 10**places}.{amount % 10**places:0{places}d}" if places else str(amount)
    sign = {"usd": "$", "eur": "€", "gbp": "£"}.get(currency)
    return f"{sign}{text}" if sign else f"{text} {currency}"
