"""``/api/v1/auth/``: a person signs in for programs, and gets tokens in exchange for their password."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api import KnownKeys, checked
from common.errors import PermissionDenied
from common.http import client_ip, get_or_404
from tenants import doors
from tenants.actors import Actor
from tenants.api_authentication import CHALLENGE
from tenants.errors import CodeNeeded, CodeWrong, SignInRefused
from tenants.middleware import membership_of
from tenants.models import Membership, TokenFamily, User
from tenants.services import addresses, tokens
from tenants.services.second_factor import prove, second_factor_of


class SignInSerializer(KnownKeys):
    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False, max_length=4096)
    organization = serializers.SlugField(help_text="The tokens are good for this one only.")
    code = serializers.CharField(
        required=False,
        max_length=32,
        help_text="Of the authenticator app, or a recovery code; for accounts with a second factor.",
    )


class RefreshSerializer(KnownKeys):
    refresh = serializers.CharField(max_length=tokens.LONGEST, help_text="The newest one.")


class TokensSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="For `Authorization: Bearer …`.")
    refresh = serializers.CharField(help_text="Works once, to get the next pair.")
    token_type = serializers.CharField(help_text="Always Bearer.")
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    organization = serializers.SlugField()
    refresh_expires_at = serializers.DateTimeField()


class ApiSessionSerializer(serializers.ModelSerializer[TokenFamily]):
    organization = serializers.SlugField(source="organization.slug")
    is_this_one = serializers.SerializerMethodField()

    class Meta:
        model = TokenFamily
        fields = ("id", "organization", "created_at", "refreshed_at", "expires_at", "ip",
                  "user_agent", "is_this_one")  # fmt: skip
        read_only_fields = fields

    def get_is_this_one(self, family: TokenFamily) -> bool:
        """Whether this request came with a token of it."""
        return bool(family.pk == self.context.get("current"))


class _NeverStored(APIView):
    """Answers hold secrets, or say who is signed in."""

    def get_authenticate_header(self, request: Any) -> str:
        return CHALLENGE

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        if response.status_code == status.HTTP_401_UNAUTHORIZED:
            response["WWW-Authenticate"] = CHALLENGE
        return response


class _Door(_NeverStored):
    """For who is not signed in yet."""

    authentication_classes = ()
    permission_classes = ()


class TokenCreate(_Door):
    @extend_schema(
        summary="Sign in for an access and a refresh token",
        request=SignInSerializer,
        responses=TokensSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """For programs that act as a person; others use an API key.

        An unknown address, a wrong password and an organization that the person does not belong to get
        the same answer, 401 `sign_in_refused`. An account with a second factor is answered `mfa_required` until
        there is a code. Failed attempts are counted together with those at the sign-in page; too many are
        answered with 429 and `Retry-After`.
        """
        data = checked(SignInSerializer(data=request.data))
        user = _person(request, data["email"], data["password"])
        membership = membership_of(user, data["organization"])
        if membership is None:
            raise SignInRefused
        _check_second_factor(request, user, data.get("code", ""))
        made = tokens.issue_tokens(membership=membership, caller=_caller(request))
        return Response(_answer(made))


class TokenRefresh(_Door):
    @extend_schema(
        summary="Exchange a refresh token for the next pair",
        request=RefreshSerializer,
        responses=TokensSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Each refresh token works once. One that comes again ends the sign-in it belongs to."""
        _limit(request, "exchange")
        data = checked(RefreshSerializer(data=request.data))
        made = tokens.refresh_tokens(text=data["refresh"], caller=_caller(request))
        return Response(_answer(made))


class TokenRevoke(_Door):
    @extend_schema(
        summary="End the sign-in of a refresh token",
        request=RefreshSerializer,
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Its access tokens stop working as well. A token that is not valid gets the same answer."""
        _limit(request, "exchange")
        data = checked(RefreshSerializer(data=request.data))
        tokens.revoke_by_token(text=data["refresh"], caller=_caller(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApiSessionList(_NeverStored):
    pagination_class = None

    @extend_schema(
        summary="Your API sign-ins",
        operation_id="auth_sessions_list",
        responses=ApiSessionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Those that still work; with a token only those of its organization."""
        context = {"current": getattr(request.auth, "pk", None)}
        return Response(ApiSessionSerializer(_mine(request), many=True, context=context).data)


class ApiSessionDetail(_NeverStored):
    @extend_schema(summary="End one of your API sign-ins", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Its tokens stop working at once."""
        family = get_or_404(_mine(request), pk=pk)
        actor = Actor.member(family.membership, ip=client_ip(request._request))
        tokens.revoke_family(family=family, actor=actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _mine(request: Request) -> QuerySet[TokenFamily]:
    if not isinstance(request.user, User):
        raise PermissionDenied("An API key has no sign-ins.", remedy="Ask as a person.")
    # A person's own, whichever organization they are in.
    rows = TokenFamily.all_organizations.filter(
        membership__user=request.user, revoked_at__isnull=True, expires_at__gt=timezone.now()
    )
    if isinstance(request.auth, TokenFamily):
        rows = rows.filter(organization_id=request.auth.organization_id)
    return rows.select_related("organization", "membership__user")


def _person(request: Request, email: str, password: str) -> User:
    """Whose e-mail and password these are, by the door of the sign-in page with its limits and its log."""
    _limit(request, "login")
    try:
        user = get_adapter(request._request).authenticate(
            request._request, email=email, password=password
        )
    except ValidationError:
        wait = doors.wait_of(request._request, "login_failed", key=email)
        raise exceptions.Throttled(wait=wait) from None
    if not isinstance(user, User) or not user.is_active:
        raise SignInRefused
    if addresses.must_verify(user):
        raise SignInRefused(remedy="Confirm your e-mail address first: sign in on the page.")
    return user


def _check_second_factor(request: Request, user: User, code: str) -> None:
    if not second_factor_of(user).is_on:
        return
    if not code:
        raise CodeNeeded(field="code", remedy="Send it as code, or use an API key.")
    # The counter of the page's own second step.
    key = f"mfa-auth-user-{user.pk}"
    if not ratelimit.consume(request._request, action="login_failed", key=key):
        wait = doors.wait_of(request._request, "login_failed", key=key)
        raise exceptions.Throttled(wait=wait)
    if prove(user=user, code=code, ip=client_ip(request._request)) is None:
        raise CodeWrong(field="code", remedy="Wait for the next code of the app, then try again.")
    ratelimit.clear(request._request, action="login_failed", key=key)


def _limit(request: Request, action: str) -> None:
    if wait := doors.knock(request._request, action):
        raise exceptions.Throttled(wait=wait)


def _caller(request: Request) -> tokens.Caller:
    return tokens.Caller(client_ip(request._request), request.headers.get("User-Agent", ""))


def _answer(made: tokens.Tokens) -> dict[str, Any]:
    membership: Membership = made.family.membership
    return {
        "access": made.access,
        "refresh": made.refresh,
        "token_type": "Bearer",
        "expires_in": int(tokens.ACCESS_LIFE.total_seconds()),
        "organization": membership.organization.slug,
        "refresh_expires_at": made.family.expires_at,
    }
