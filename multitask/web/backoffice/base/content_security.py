"""The Content-Security-Policy of the back office, which differs from the other pages' in one point.

Unfold drives its menus with Alpine.js, which compiles the expressions in its attributes and so needs
'unsafe-eval'. Nothing else is relaxed, and the payment provider's sources are left out.
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
