#!/usr/bin/env python3
"""Django's command line for this project."""

import os
import sys

from multitask.config import memory

if __name__ == "__main__":
    memory.collect_nothing_yet()
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multitask.config.settings")
    execute_from_command_line(sys.argv)
