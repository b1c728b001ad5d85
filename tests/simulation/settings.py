"""Django settings for the simulation: a database backend with interruption points, and a provider in the process."""

import logging

import structlog

from multitask.config.settings import *  # noqa: F403
from multitask.config.settings import DATABASES, LOGGING

DATABASES["default"]["ENGINE"] = "tests.simulation.engine"
DATABASES["default"]["OPTIONS"].pop("pool", None)  # One connection for each thread, of which one runs at a time.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False  # A request is no reason to ask whether the server is there.

# What a password costs to guess is measured elsewhere; here people sign in all the time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# People sign in again when days have passed, not after each pause.
ACCESS_TOKEN_MINUTES = 24 * 60
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

STRIPE_SESSION = "tests.simulation.network.session"
STRIPE_API_BASE = "http://provider.example"
STRIPE_SECRET_KEY = "sk_test_simulation"
STRIPE_PUBLISHABLE_KEY = "pk_test_simulation"
STRIPE_WEBHOOK_SECRET = "whsec_platform_of_the_simulation"
STRIPE_CONNECT_WEBHOOK_SECRET = "whsec_connect_of_the_simulation"

# In the stories in Egyptian pounds, which have a route and a key besides.
PAYMOB_SESSION = "tests.simulation.network.session"
PAYMOB_API_BASE = "http://paymob.example"
PAYMOB_PAYOUT_BASE = "http://paymob.example/api/secure"
PAYMOB_PUBLIC_KEY = "egy_pk_test_simulation"
PAYMOB_HMAC_SECRET = "hmac_of_the_simulation"
PAYMOB_API_KEY = PAYMOB_PAYOUT_CLIENT_ID = PAYMOB_PAYOUT_CLIENT_SECRET = "simulation"
PAYMOB_PAYOUT_USERNAME = PAYMOB_PAYOUT_PASSWORD = "simulation"
PAYMOB_INTEGRATION_IDS = (2001, 2002, 2003)
# Ours is counted by the database's clock; Paymob's own limit counts in virtual time, and its refusals come instead.
PAYMOB_INQUIRIES_PER_MINUTE = 0

DATABASES["default"]["OPTIONS"]["options"] = "-c jit=off"  # Worth its while for long statements only.

# Nobody reads the log of a story, and to write what nobody reads takes a while.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
LOGGING["root"]["level"] = "CRITICAL"
for _logger in ("django", "django.request", "sandboxes", "stripe", "procrastinate"):
    LOGGING["loggers"][_logger] = {"level": "CRITICAL"}
