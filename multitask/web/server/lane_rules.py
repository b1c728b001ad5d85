"""Maps request paths to lanes; the only list of routes that call the payment provider."""

import re
from typing import Final

from multitask.web.server.lanes import Name

HEALTH: Final = "/healthz"
_SYSTEM: Final = frozenset({HEALTH, "/readyz", "/metrics"})
_WEBHOOKS: Final = ("/payments/webhooks/", "/api/payments/webhooks/")

# Actions of the back office that ask the provider at once; the calls of all others are made by jobs.
PROVIDER_ACTIONS: Final = frozenset({"compare-budget", "name-try", "payout-was-not-made"})
# Routes as Django's resolver writes them, and actions by their names. Tests compare this list with the requests that
# call the provider.
PROVIDER_ROUTES: Final = frozenset(
    {
        *(
            f"{prefix}payments/{route}"
            for prefix in ("", "api/")
            for route in (
                "intents/create/",
                "connect/create/",
                "connect/onboarding/",
                "connect/replace/",
                "connect/dashboard/",
                "payment-methods/create/",
                "payment-methods/setup/",
                "payment-methods/<int:method_id>/delete/",
                "payment-methods/<int:method_id>/set-default/",
                "withdrawals/<withdrawal_id>/cancel/",
            )
        ),
        "tasks/<int:task_id>/pay/begin/",
        "wallet/withdrawals/<uuid:withdrawal_id>/cancel/",
        "profile/cards/<int:method_id>/first/",
        "profile/cards/<int:method_id>/remove/",
        "onboarding/start/",
        "onboarding/replace/",
        "onboarding/dashboard/",
        "onboarding/return/",
        "onboarding/refresh/",
        *(f"backoffice/do/{action}/<int:subject_id>/" for action in PROVIDER_ACTIONS),
    }
)
# Requests to these count by network address alone, even with credentials, since they need no sign-in.
OPEN_ROUTES: Final = frozenset(
    {
        "api/auth/register/",
        "api/auth/login/",
        "api/auth/token/refresh/",
        "api/auth/logout/",
        "api/auth/email/confirm/",
        "sign-in/",
        "sign-in/code/",
        "register/",
        "password/forgotten/",
        "password/forgotten/sent/",
        "password/reset/<str:name>/<str:token>/",
        "profile/email/confirm/<str:token>/",
        "backoffice/login/",
    }
)


def _pattern(route: str) -> str:
    """Return a route as a regular expression: a number where it has one, anything in one part of a path elsewhere."""
    return re.sub(r"<[\w:]+>", "[^/]+", re.sub(r"<int:\w+>", "[0-9]+", route))


_PROVIDER: Final = re.compile("|".join(_pattern(route) for route in sorted(PROVIDER_ROUTES)), re.ASCII)
_OPEN: Final = re.compile("|".join(_pattern(route) for route in sorted(OPEN_ROUTES)))


def needs_no_sign_in(path: str) -> bool:
    """Return whether `path` needs no sign-in."""
    return _OPEN.fullmatch(path, 1) is not None


def lane_of(path: str) -> Name:
    """Return the lane of a request for `path`."""
    if path in _SYSTEM:
        return Name.SYSTEM
    if path.startswith(_WEBHOOKS):
        return Name.WEBHOOKS
    if _PROVIDER.fullmatch(path, 1):
        return Name.PROVIDER
    return Name.ORDINARY
