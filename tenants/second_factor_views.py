"""Pages of the second factor: switching it on and off, recovery codes, and being asked for a code or the password."""

from collections.abc import Callable
from typing import cast
from urllib.parse import quote

from allauth.account import views as account
from allauth.account.decorators import reauthentication_required
from allauth.mfa.base import views as mfa
from django.contrib.auth.decorators import login_required
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from common.errors import Conflict, UserError
from common.http import client_ip, say, warn
from tenants import doors
from tenants.forms import put_error
from tenants.models import User
from tenants.second_factor import MFAAdapter, picture_of
from tenants.second_factor_forms import (
    ReauthenticateCodeForm,
    ReauthenticateForm,
    SetUpForm,
    SignInCodeForm,
)
from tenants.services import second_factor as services

View = Callable[[HttpRequest], HttpResponse]


def _who_again(view: View) -> View:
    """Ask for the password or a code first, unless that happened within the last five minutes."""
    return cast(View, reauthentication_required(app="allauth.mfa")(view))


@never_cache
@sensitive_post_parameters("code", "setup")
@require_http_methods(["GET", "POST"])
@login_required
@_who_again
def second_factor(request: HttpRequest) -> HttpResponse:
    """The way to switch it on, or how it stands. POST ``code`` switches on and answers with the recovery codes."""
    user = cast(User, request.user)
    state = services.second_factor_of(user)
    if state.is_on:
        return render(request, "mfa/index.html", {"factor": state})
    if request.method != "POST":
        secret, setup = services.new_setup(user)
        return _set_up_page(request, SetUpForm(initial={"setup": setup}), secret)
    try:
        secret = services.secret_of_setup(user, request.POST.get("setup", ""))
        return _switched_on(request, user, secret)
    except Conflict as error:
        warn(request, str(error))
        return redirect("tenants:second-factor")


def _switched_on(request: HttpRequest, user: User, secret: str) -> HttpResponse:
    form = SetUpForm(request.POST)
    if form.is_valid():
        try:
            code = form.cleaned_data["code"]
            codes = services.switch_on(user=user, secret=secret, code=code, ip=client_ip(request))
        except Conflict:
            raise
        except UserError as error:
            put_error(form, error)
        else:
            return _shown_once(request, user, codes, is_new=True)
    return _set_up_page(request, form, secret, status=422)


@never_cache
@require_POST
@login_required
@_who_again
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new ones; they are in the answer and nowhere else."""
    user = cast(User, request.user)
    codes = services.make_recovery_codes(user=user, ip=client_ip(request))
    return _shown_once(request, user, codes, is_new=False)


@require_POST
@login_required
@_who_again
def second_factor_off(request: HttpRequest) -> HttpResponse:
    services.switch_off(user=cast(User, request.user), ip=client_ip(request))
    say(request, _("The second factor is off."))
    return redirect("tenants:account")


def _set_up_page(
    request: HttpRequest, form: SetUpForm, secret: str, *, status: int = 200
) -> HttpResponse:
    address = MFAAdapter().build_totp_url(request.user, secret)
    context = {
        "form": form,
        "picture": picture_of(address),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    }
    return render(request, "mfa/set_up.html", context, status=status)


def _shown_once(
    request: HttpRequest, user: User, codes: list[str], *, is_new: bool
) -> HttpResponse:
    text = "\n".join(f"{code[:4]} {code[4:]}" for code in codes)
    name = _("Recovery codes of %(email)s for Datanika") % {"email": user.email}
    context = {
        "codes": text,
        "download": "data:text/plain;charset=utf-8," + quote(f"{name}\n\n{text}\n"),
        "is_new": is_new,
    }
    return render(request, "mfa/recovery_codes.html", context)


class SignInCode(mfa.AuthenticateView):  # type: ignore[misc]
    """The second step of a sign-in, whichever way the first was made."""

    form_class = SignInCodeForm

    def _build_forms(self) -> SignInCodeForm:
        # allauth's own also looks for a security key, of which we have none.
        data = self.request.POST if self.request.method == "POST" else None
        self.auth_form = SignInCodeForm(user=self.stage.login.user, data=data)
        self.webauthn_form = None
        return self.auth_form

    def form_valid(self, form: SignInCodeForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        if form.was_recovery_code:
            _tell_what_is_left(self.request, self.stage.login.user)
        return response

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form, _code_attempts(self.stage.login.user))


class Reauthenticate(account.ReauthenticateView):  # type: ignore[misc]
    form_class = ReauthenticateForm

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form, self.request.user.email)


class ReauthenticateCode(mfa.ReauthenticateView):  # type: ignore[misc]
    form_class = ReauthenticateCodeForm

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form, _code_attempts(self.request.user))


def _code_attempts(user: User) -> str:
    """By what allauth counts wrong codes of a person."""
    return f"mfa-auth-user-{user.pk}"


def _tell_what_is_left(request: HttpRequest, user: User) -> None:
    left = services.second_factor_of(user).codes_left
    warn(
        request,
        ngettext(
            "You used a recovery code; %(left)s is left. Make new ones on your account page.",
            "You used a recovery code; %(left)s are left. Make new ones on your account page.",
            left,
        )
        % {"left": left},
    )
