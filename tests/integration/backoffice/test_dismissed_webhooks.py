"""Finance dismisses a webhook in the back office."""

from django.test import Client

from multitask.users.actor import Actor
from multitask.webhooks.models import EventState
from tests.integration.backoffice import addresses, scenes
from tests.integration.backoffice.test_actions import audited, do, told
from tests.payments_world import World


def test_a_webhook_in_quarantine_is_dismissed(world: World, finance: Actor, office: Client) -> None:
    event = scenes.event(world, state=EventState.QUARANTINED)
    assert addresses.action("dismiss-webhook", event.pk) in told(office, addresses.change(event))
    page = told(office, do(office, "dismiss-webhook", event.pk))
    audited("webhook_dismissed", finance)
    assert "Dismissed" in page
    assert "/backoffice/do/" not in page
    assert "Webhooks in quarantine" not in told(office, "/backoffice/")
