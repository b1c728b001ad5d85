"""The Content-Security-Policy of the back office: the one place whose scripts are compiled from attributes.

Unfold drives its menus with Alpine.js, which compiles the expressions in its attributes and so needs
'unsafe-eval'. Nothing else is relaxed, and what other pages need of the payment provider is left out.
"""

from typing import Final

from csp.constants import NONCE

POLICY: Final = {
    "default-src": ["'self'"],
    "script-src": ["'self'", NONCE, "'unsafe-eval'"],
    "style-src": ["'self'", NONCE],
    "frame-src": ["'none'"],
    "connect-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "form-action": ["'self'"],
}
