"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from multitask.config import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
memory.return_large_blocks()
memory.collect_nothing_yet()
application = get_wsgi_application()
