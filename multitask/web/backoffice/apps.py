"""Registers the back office with Django, for its templates and styles."""

from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    """Holds the staff's pages."""

    name = "multitask.web.backoffice"
    label = "backoffice"
