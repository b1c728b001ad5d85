"""Freelancers' accounts at the provider."""

import pytest

from multitask.payments.errors import AccountExists, Forbidden, NoAccount, ProviderRefused, ProviderUnavailable
from multitask.payments.models import AuditEvent, ConnectedAccount, Operation
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import onboarding
from multitask.users.actor import Actor
from tests.payments_world import World, held, user_id


def audited(actor: Actor) -> list[str]:
    return list(AuditEvent.objects.filter(user_id=user_id(actor)).order_by("pk").values_list("event", flat=True))


def test_an_account_is_created_at_the_provider(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    account = world.create_account(freelancer)
    assert account.provider_account_id
    assert not account.onboarding_completed
    assert not account.details_submitted
    assert "external_account" in account.requirements["currently_due"]
    assert audited(freelancer) == ["account_requested", "account_created"]


def test_a_second_account_is_refused(world: World) -> None:
    freelancer = world.freelancer()
    with pytest.raises(AccountExists):
        world.create_account(freelancer)
    assert ConnectedAccount.objects.filter(user_id=user_id(freelancer)).count() == 1


def test_only_freelancers_get_accounts(world: World) -> None:
    with pytest.raises(Forbidden):
        world.create_account(world.client())
    assert not ConnectedAccount.objects.exists()


def test_a_country_that_the_provider_refuses_may_be_mended(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    with pytest.raises(ProviderRefused):
        world.create_account(freelancer, country="IS", currency="EUR")
    assert onboarding.account_of(user_id(freelancer)) is None
    account = world.create_account(freelancer, country="DE", currency="EUR")
    assert (account.country, account.currency) == ("DE", "EUR")
    assert [o.state for o in Operation.objects.filter(subject_id=account.pk).order_by("pk")] == ["failed", "succeeded"]
    assert audited(freelancer) == ["account_requested", "account_refused", "account_created"]


def test_a_lost_answer_creates_no_second_account(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/accounts", count=1)
    with pytest.raises(ProviderUnavailable):
        world.create_account(freelancer)
    account = world.create_account(freelancer)
    assert len(world.made("account", f"create_account:{account.pk}:1")) == 1
    assert audited(freelancer) == ["account_requested", "account_created"]


def test_a_webhook_that_overtakes_the_answer_is_believed(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/accounts", count=1)
    with pytest.raises(ProviderUnavailable):
        world.create_account(freelancer)
    intent = ConnectedAccount.objects.get(user_id=user_id(freelancer))
    (made,) = world.made("account", f"create_account:{intent.pk}:1")

    onboarding.confirm("stripe", world.provider.read_account(made["id"]), world.now)
    intent.refresh_from_db()
    assert intent.provider_account_id == made["id"]
    assert audited(freelancer) == ["account_requested", "account_created"]

    with pytest.raises(AccountExists):
        world.create_account(freelancer)
    operation = engine.perform(Operation.objects.get(subject_id=intent.pk).pk, now=world.now)
    assert operation.state == "succeeded"
    assert audited(freelancer) == ["account_requested", "account_created"]


def test_a_link_leads_to_the_hosted_form(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    with pytest.raises(NoAccount):
        world.fill_in(freelancer)
    world.create_account(freelancer)
    world.fill_in(freelancer)
    world.hear()
    account = world.account(freelancer)
    assert account.onboarding_completed
    assert account.requirements["currently_due"] == []
    assert audited(freelancer)[-1] == "account_enabled"


def test_visitors_have_no_link(world: World) -> None:
    with pytest.raises(NoAccount):
        onboarding.link(actor=Actor.visitor(), refresh_url="http://a", return_url="http://b", now=world.now)


@pytest.mark.parametrize(
    ("fault", "error"), [("rate_limit", ProviderUnavailable), ("error_before", ProviderUnavailable)]
)
def test_a_link_that_the_provider_does_not_give(world: World, fault: str, error: type[Exception]) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.create_account(freelancer)
    world.sandbox.add_fault(fault, method="POST", path="/v1/account_links", count=1)
    with pytest.raises(error):
        world.fill_in(freelancer)


def test_a_link_to_a_vanished_account_is_refused_for_good(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.create_account(freelancer)
    ConnectedAccount.objects.filter(user_id=user_id(freelancer)).update(provider_account_id="acct_gone")
    with pytest.raises(ProviderRefused):
        world.fill_in(freelancer)


def test_an_account_may_be_disabled_again(world: World) -> None:
    freelancer = world.freelancer()
    account = world.account(freelancer)
    world.sandbox.control("POST", f"accounts/{account.provider_account_id}", {"disabled_reason": "under_review"})
    world.hear()
    account = world.account(freelancer)
    assert not account.onboarding_completed
    assert not account.can_receive
    assert account.disabled_reason == "under_review"
    assert audited(freelancer)[-1] == "account_paused"

    world.sandbox.control("POST", f"accounts/{account.provider_account_id}", {"disabled_reason": None})
    world.hear()
    assert world.account(freelancer).onboarding_completed
    assert audited(freelancer)[-1] == "account_enabled"


def test_an_account_that_left_the_platform_is_closed(world: World) -> None:
    freelancer = world.freelancer()
    ConnectedAccount.objects.filter(user_id=user_id(freelancer)).update(provider_account_id="acct_gone")
    onboarding.refresh(user_id=user_id(freelancer), now=world.now)
    account = world.account(freelancer)
    assert account.closed
    assert not account.can_receive


def test_refreshing_without_an_account_does_nothing(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    onboarding.refresh(user_id=user_id(freelancer), now=world.now)
    assert not ConnectedAccount.objects.exists()


def test_money_waits_for_onboarding_and_then_goes_by_itself(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    job = world.released(freelancer=freelancer)
    assert (job.transfer.state, job.transfer.hold) == ("pending", "awaits_account")
    assert held(f"user:{freelancer.user_id}:pending") == 8_500

    world.create_account(freelancer)
    world.work()
    assert job.transfer.hold == "awaits_account"

    world.fill_in(freelancer)
    world.hear()
    assert (job.transfer.state, job.transfer.hold) == ("succeeded", "")
    account = world.account(freelancer)
    assert held(f"provider:stripe:account:{account.pk}") == -8_500
    assert held(f"user:{freelancer.user_id}:pending") == 8_500


def test_a_held_transfer_is_not_swept(world: World) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    world.wait(days=3)
    assert sweeper.sweep(now=world.now) == 0
    assert job.transfer.hold == "awaits_account"
