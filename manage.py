#!/usr/bin/env python3
"""Django's command line for this project."""

import contextlib
import os
import sys

from multitask.config import memory

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
    with memory.nothing_to_collect():
        import django
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line

        # Settings that are wrong are told below, as Django tells them.
        with contextlib.suppress(ImproperlyConfigured):
            django.setup()
    execute_from_command_line(sys.argv)
