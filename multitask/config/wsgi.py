"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from multitask.config import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
memory.return_large_blocks()
with memory.nothing_to_collect():
    application = get_wsgi_application()
