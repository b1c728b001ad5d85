"""What a refused command shows to people, by its error code and in their language."""

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.errors import DomainError

# With these codes the page that the form was on did not show the present state.
OUT_OF_DATE: Final = frozenset(
    {
        "wrong_state",
        "task_state_conflict",
        "task_not_open",
        "application_not_pending",
        "refund_in_progress",
        "dispute_open",
        "escrow_frozen",
        "not_funded",
    }
)

# What the client can do about a refusal of the provider, by its code.
BY_PROVIDER_CODE: Final = {
    "customer_gone": gettext_lazy("Your saved details were removed at the payment provider. Please try again."),
}

BY_CODE: Final = {
    "account_ended": gettext_lazy("Your payout account has ended for good. Open a new one."),
    "account_in_use": gettext_lazy("Money was paid to your payout account already, so it cannot be replaced."),
    "account_exists": gettext_lazy("You have a payout account already."),
    "already_applied": gettext_lazy("You have applied for this task already."),
    "amount_invalid": gettext_lazy("Write the amount as a number, like 85.00."),
    "amount_mismatch": gettext_lazy("The amounts do not add up to what is in escrow."),
    "amount_too_large": gettext_lazy("The amount is more than is left."),
    "amount_too_precise": gettext_lazy("This currency does not have that many decimals."),
    "amount_too_small": gettext_lazy("The amount has to be more than zero."),
    "application_not_found": gettext_lazy("There is no such application."),
    "application_not_accepted": gettext_lazy("Accept the application before you pay."),
    "application_not_pending": gettext_lazy("This application was decided already."),
    "country_unsupported": gettext_lazy("Payouts to this country are not possible here."),
    "currency_mismatch": gettext_lazy("The currency is not the escrow's."),
    "currency_unknown": gettext_lazy("This currency is not known."),
    "currency_unsupported": gettext_lazy("Payments in this currency are not possible here."),
    "dispute_open": gettext_lazy("A dispute is open; the money stays where it is until it is settled."),
    "email_already_confirmed": gettext_lazy("Your email address is confirmed already."),
    "email_unconfirmed": gettext_lazy(
        "Confirm your email address first: we write to you whenever your payout details change."
    ),
    "escrow_frozen": gettext_lazy("The cardholder's bank has contested this payment; the money stays where it is."),
    "event_quarantined": gettext_lazy("This event is in quarantine and cannot be replayed."),
    "evidence_closed": gettext_lazy(
        "The evidence can no longer be changed: it was submitted, or the chargeback is over."
    ),
    "file_refused": gettext_lazy("The file has to be a PDF, a JPEG or a PNG of at most 5 MB."),
    "forbidden": gettext_lazy("You may not do this."),
    "four_eyes": gettext_lazy("A second person has to approve this."),
    "freelancer_unavailable": gettext_lazy("This freelancer is not available any more."),
    "funds_in_former_account": gettext_lazy(
        "Some of your balance is still on its way from your former payout account. Withdraw less, or wait."
    ),
    "destination_cannot_take_refund": gettext_lazy(
        "Your refund is too small or too large to be paid out there. Choose another way."
    ),
    "destination_missing": gettext_lazy("Add your payout details first: where your money goes."),
    "identity_missing": gettext_lazy("Enter your legal name and your national ID number first."),
    "identity_rejected": gettext_lazy("Your identity could not be confirmed. Correct what you entered first."),
    "identity_unconfirmed": gettext_lazy("Our staff has not confirmed your identity yet."),
    "identity_mismatch": gettext_lazy("The number on the document is not the one that was entered."),
    "insufficient_funds": gettext_lazy("Your available balance does not cover this amount."),
    "invalid_credentials": gettext_lazy("The name or the password is not right."),
    "invalid_account": gettext_lazy("Some fields of the account are not valid."),
    "invalid_task": gettext_lazy("Some fields of the task are not valid."),
    "no_bank_in_currency": gettext_lazy("Your payout account has no bank account in this currency."),
    "no_account": gettext_lazy("Set up your payout account first."),
    "link_invalid": gettext_lazy("This link was used already or is too old. Ask for a new one."),
    "not_a_client": gettext_lazy("Only a client can post a task."),
    "not_a_freelancer": gettext_lazy("Only a freelancer can apply for a task."),
    "not_found": gettext_lazy("There is nothing here that you may see."),
    "not_funded": gettext_lazy("There is no money in escrow for this task yet."),
    "not_your_part": gettext_lazy("You may not take this step of the task."),
    "onboarding_incomplete": gettext_lazy("Finish setting up your payout account first."),
    "outcome_unknown": gettext_lazy("We do not know yet whether this took effect. Look at the page again in a moment."),
    "otp_invalid": gettext_lazy("This code is not right, or was used already. Wait for the next one."),
    "own_task": gettext_lazy("You cannot apply for your own task."),
    "password_required": gettext_lazy("Enter your password to confirm this change."),
    "payee_not_ready": gettext_lazy("Something is missing before you can be paid."),
    "period_too_long": gettext_lazy("There is too much in this period for one statement. Choose a shorter one."),
    "provider_refused": gettext_lazy("The payment provider refused this."),
    "provider_unavailable": gettext_lazy(
        "The payment provider did not answer in time. Nothing is lost: please try again."
    ),
    "reference_used": gettext_lazy("This reference is recorded already."),
    "reauth_required": gettext_lazy("Confirm with a code first."),
    "refund_too_small": gettext_lazy("So small a refund cannot be paid out. Choose a larger amount."),
    "refused": gettext_lazy("The request was refused."),
    "refund_in_progress": gettext_lazy("A refund of this escrow has been asked for or is on its way."),
    "second_factor_off": gettext_lazy("Two-step sign-in is off."),
    "second_factor_required": gettext_lazy("Staff needs two-step sign-in: switch it on in your profile."),
    "second_factor_on": gettext_lazy("Two-step sign-in is on already."),
    "task_not_completed": gettext_lazy("Confirm that the task is complete first."),
    "task_not_found": gettext_lazy("There is no such task."),
    "task_not_open": gettext_lazy("This task is not open any more."),
    "task_state_conflict": gettext_lazy("The task is not in a state that allows this step."),
    "too_many_attempts": gettext_lazy("Too many attempts. Wait a while and try again."),
    "too_many_requests": gettext_lazy("You have asked for this too often. Wait a few minutes, then try again."),
    "user_not_found": gettext_lazy("There is no such user."),
    "username_taken": gettext_lazy("This user name is taken."),
    "withdrawal_left": gettext_lazy("The money has left for your bank already, so the withdrawal cannot be cancelled."),
    "work_state_conflict": gettext_lazy("The work is not in a state that allows this step."),
    "wrong_password": gettext_lazy("Your present password is not right."),
    "wrong_state": gettext_lazy("This cannot be done in the present state."),
}


def of(refusal: DomainError) -> str:
    """Return the message of a refusal in the reader's language; the refusal's own message if its code is not listed."""
    known = BY_CODE.get(refusal.code)
    if refusal.code == "provider_refused":
        known = BY_PROVIDER_CODE.get(refusal.detail or "", known)
    return str(known) if known is not None else _(refusal.message)
