"""The ASGI application that granian serves."""

import os
import resource
from typing import Final

from django.core.wsgi import get_wsgi_application

from multitask.config import memory

# Each connection is an open file, and on most systems a process starts with a limit of 1,024 open files.
OPEN_FILES: Final = 65_536


def _open_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
memory.return_large_blocks()
memory.collect_nothing_yet()
_open_many_files()
_handler = get_wsgi_application()

# The settings are configured from here on.
from django.conf import settings  # noqa: E402

from multitask.payments.operations import routes  # noqa: E402
from multitask.web.server.application import Server  # noqa: E402

# Management commands run the system check; the server has to ask by itself.
routes.require_valid()
application = Server(_handler, settings.WEB_SERVER)
