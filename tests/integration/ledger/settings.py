"""Settings with a test database that is created in a second: only the ledger's migrations are run.

For `make mutation`, where each of hundreds of changes to the ledger's SQL needs a database of its own.
"""

from multitask.config.settings import *  # noqa: F403
from multitask.config.settings import INSTALLED_APPS

_LABELS = {name.rsplit(".", 1)[-1] for name in INSTALLED_APPS} | {"procrastinate"}
MIGRATION_MODULES = dict.fromkeys(_LABELS - {"ledger"})
