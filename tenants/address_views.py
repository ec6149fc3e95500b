"""A person's own address: proving it, and giving another one."""

from typing import cast

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from common.errors import DatanikaError
from common.http import client_ip, say
from tenants import doors, mail, proofs, tasks
from tenants.forms import put_error
from tenants.models import User
from tenants.services import addresses
from tenants.sign_in_forms import EmailChangeForm


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@login_required
def change_email(request: HttpRequest) -> HttpResponse:
    """Ask for another address; it counts once the link that goes to it was opened."""
    user = cast(User, request.user)
    if not user.has_usable_password():
        # Nothing to type here; who has a second factor gives a code of it.
        raise_if_reauthentication_required(request, app="allauth.mfa")
    form = EmailChangeForm(request.POST or None, user=user)
    can_send = mail.can_send()
    if can_send and request.method == "POST":
        if wait := doors.knock(request, "manage_email", key=str(user.pk)):
            return doors.too_many(request, wait)
        if form.is_valid() and _is_asked_for(form, user):
            return render(request, "account/email_sent.html", {"email": form.cleaned_data["email"]})
    context = {"form": form, "can_send": can_send}
    status = 422 if request.method == "POST" else 200
    answer = render(request, "account/email.html", context, status=status)
    return doors.shut(answer, request, form, user.email)


def _is_asked_for(form: EmailChangeForm, user: User) -> bool:
    try:
        email = addresses.check_new_address(user=user, email=form.cleaned_data["email"])
    except DatanikaError as error:
        put_error(form, error)
        return False
    tasks.ask("change", email, user)
    return True


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """The link in the mail to the new address; only the account that asked for it is changed."""
    if wait := doors.knock(request, "link", key=token):
        return doors.too_many(request, wait)
    try:
        user, email = proofs.read_change(token)
    except proofs.LinkDead:
        return render(request, "account/email_dead.html", status=404)
    if user != request.user:
        return render(request, "account/email_other.html", {"email": email}, status=403)
    if request.method == "POST":
        before = user.email
        user = addresses.change_email(user=user, email=email, ip=client_ip(request))
        tasks.ask("changed", before, user)
        say(request, _("Your address is now %(email)s.") % {"email": email})
        return redirect("tenants:account")
    return render(request, "account/email_confirm.html", {"email": email})


@require_POST
@login_required
def send_verification(request: HttpRequest) -> HttpResponse:
    """For who may sign in without having proven the address."""
    user = cast(User, request.user)
    if wait := doors.knock(request, "confirm_email", key=user.email):
        return doors.too_many(request, wait)
    if not addresses.is_verified(user):
        tasks.ask("verification", user.email, user)
    say(
        request,
        _("Look into your mail: a link is on its way to %(email)s.") % {"email": user.email},
    )
    return redirect("tenants:account")
