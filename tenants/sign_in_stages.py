"""Between the right password and the session."""

from allauth.account.internal.constants import LoginStageKey
from allauth.account.stages import LoginStage
from django.http import HttpResponse
from django.shortcuts import redirect

from tenants import doors, sign_up_session, tasks
from tenants.services import addresses


class ProofOfAddress(LoginStage):  # type: ignore[misc]
    """Who signed up by themselves comes in when the address is proven; another mail is on its way."""

    key = LoginStageKey.VERIFY_EMAIL.value
    urlname = "account_email_verification_sent"

    def is_resumable(self, request: object) -> bool:
        return False

    def handle(self) -> tuple[HttpResponse | None, bool]:
        user = self.login.user
        if user is None or not addresses.must_verify(user):
            return None, True
        sign_up_session.begin(self.request, user.email, user)
        # One too many is as good as sent: the one before it is on its way, and works.
        if not doors.knock(self.request, "confirm_email", key=user.email):
            tasks.ask("sign_up", user.email)
        return redirect(self.urlname), False
