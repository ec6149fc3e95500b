"""Pages of newcomers who come by themselves: sign up, look into the mail, prove the address."""

from typing import cast

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from common.errors import DatanikaError
from common.http import client_ip, say
from tenants import doors, mail, proofs, sign_up_session, tasks
from tenants.forms import put_error
from tenants.models import Membership, User
from tenants.services import addresses
from tenants.services import sign_up as service
from tenants.sign_in_forms import ConfirmForm, SignUpForm


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """The same answer whether the address has an account or not; the mail tells its owner which."""
    if request.user.is_authenticated or not User.objects.exists():
        return redirect("home")
    is_offered = service.is_sign_up_offered()
    if not is_offered or not mail.can_send():
        status = 403 if request.method == "POST" else 200
        closed = {"is_offered": is_offered, "is_closed": service.is_closed()}
        return render(request, "account/signup_closed.html", closed, status=status)
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        email = form.cleaned_data["email"].strip().lower()
        if wait := doors.knock(request, "signup", key=email):
            return doors.too_many(request, wait)
        try:
            user = service.sign_up(**form.cleaned_data, ip=client_ip(request))
        except DatanikaError as error:
            put_error(form, error)
        else:
            sign_up_session.begin(request, email, user)
            tasks.ask("sign_up", email)
            return redirect("account_email_verification_sent")
    context = {"form": form, "domains": service.sign_up_domains(), "next": _next(request)}
    status = 422 if request.method == "POST" else 200
    return render(request, "account/signup.html", context, status=status)


def _next(request: HttpRequest) -> str:
    return request.POST.get("next") or request.GET.get("next") or ""


@never_cache
@require_http_methods(["GET", "POST"])
def look_into_mail(request: HttpRequest) -> HttpResponse:
    """POST has the mail sent again, to the address that this browser gave."""
    email = sign_up_session.email_of(request)
    if not email:
        return redirect("account_login")
    if request.method == "POST":
        if wait := doors.knock(request, "confirm_email", key=email):
            return doors.too_many(request, wait)
        tasks.ask("sign_up", email)
        say(request, _("Another mail is on its way."))
        return redirect("account_email_verification_sent")
    return render(request, "account/verification_sent.html", {"email": email})


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest, token: str) -> HttpResponse:
    """The link in the mail. Programs that look through mail open links, so only the button confirms.

    In another browser than the one that signed up the password is asked for: somebody may have signed up with a
    stranger's address, and the stranger must not confirm an account whose password they did not choose.
    """
    if wait := doors.knock(request, "link", key=token):
        return doors.too_many(request, wait)
    try:
        user = proofs.read_verification(token)
    except proofs.LinkDead:
        return render(request, "account/verify_dead.html", status=404)
    if addresses.is_verified(user):
        say(request, _("This address is confirmed already."))
        return redirect("home")
    known = request.user == user or sign_up_session.knows_password(request, user)
    form = None if known else ConfirmForm(request.POST or None)
    if request.method == "POST" and (form is None or _is_password_right(request, form, user)):
        return _confirmed(request, user)
    context = {"form": form, "email": user.email}
    status = 422 if request.method == "POST" else 200
    answer = render(request, "account/verify.html", context, status=status)
    return doors.shut(answer, request, form, user.email) if form else answer


def _is_password_right(request: HttpRequest, form: ConfirmForm, user: User) -> bool:
    """Counted together with the attempts at the sign-in page."""
    if not form.is_valid():
        return False
    adapter = get_adapter(request)
    try:
        found = adapter.authenticate(
            request, email=user.email, password=form.cleaned_data["password"]
        )
    except ValidationError as error:
        form.add_error(None, error)
        return False
    if found != user:
        form.add_error("password", _("This is not the password of this account."))
        return False
    return True


def _confirmed(request: HttpRequest, user: User) -> HttpResponse:
    addresses.mark_verified(user=user, ip=client_ip(request))
    wanted = sign_up_session.end(request)
    say(request, _("Your address is confirmed."))
    if request.user == user:
        return redirect("tenants:account")
    login = Login(user=user, redirect_url=wanted or _first_page(user))
    return cast(HttpResponse, perform_login(request, login))


def _first_page(user: User) -> str:
    """Who belongs to nothing yet begins with an organization."""
    has_any = Membership.all_organizations.filter(user=user).exists()
    return reverse("home" if has_any else "tenants:organization-create")
