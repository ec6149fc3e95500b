"""Members, invitations and API keys for machines."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission, Role
from common.api import KnownKeys
from common.http import get_or_404
from tenants import mail, selectors, services
from tenants.api_authentication import KeyHolder
from tenants.api_base import OrganizationAPIView
from tenants.models import ApiKey, Invitation, Membership, User
from tenants.organization_views import invitation_link
from tenants.scopes import SCOPES

#: As the models have them, so that the document knows one kind of role.
ROLES = [(role.value, role.value.title()) for role in Role]


class MemberSerializer(serializers.ModelSerializer[Membership]):
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")

    class Meta:
        model = Membership
        fields = ("id", "email", "name", "role", "created_at", "last_seen_at")
        read_only_fields = fields


class MemberRoleSerializer(serializers.Serializer[Membership]):
    role = serializers.ChoiceField(ROLES, help_text="Not above the caller's own.")


class MemberList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW}

    @extend_schema(summary="List members", responses=MemberSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Everybody who belongs to the organization."""
        return self.page(selectors.members_of(self.organization), MemberSerializer, ordering="pk")


class MemberDetail(OrganizationAPIView):
    required: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.MANAGE_MEMBERS,
        "DELETE": Permission.MANAGE_MEMBERS,
    }

    def _membership(self, pk: int) -> Membership:
        return get_or_404(selectors.members_of(self.organization), pk=pk)

    @extend_schema(summary="Show a member", responses=MemberSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(MemberSerializer(self._membership(pk)).data)

    @extend_schema(
        summary="Change a member's role", request=MemberRoleSerializer, responses=MemberSerializer
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Keys the person made above the new role are revoked. The last owner stays one."""
        membership = self._membership(pk)
        role = Role(self.body(MemberRoleSerializer)["role"])
        membership = services.change_role(membership=membership, role=role, actor=self.actor)
        return Response(MemberSerializer(membership).data)

    @extend_schema(summary="Remove a member", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """The person loses access and the keys they made are revoked; what they built stays."""
        services.remove_member(membership=self._membership(pk), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SharedSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="connection or pipeline.")
    slug = serializers.CharField(source="thing.slug")
    name = serializers.CharField(source="thing.name")
    permission = serializers.CharField(help_text="view, run or edit, each with those before it.")


class SharedList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.BELONG}
    pagination_class = None

    @extend_schema(summary="List what is shared with you", responses=SharedSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Connections and pipelines that the caller was given beyond their role; a key is given none."""
        mine = selectors.membership_behind(self.organization, self.actor)
        found = selectors.shared_with(mine) if mine else []
        return Response(SharedSerializer(found, many=True).data)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    is_open = serializers.BooleanField(help_text="Neither used, nor revoked, nor expired.")

    class Meta:
        model = Invitation
        fields = (
            "id", "email", "role", "invited_by", "created_at", "last_sent_at", "expires_at", "is_open",
        )  # fmt: skip
        read_only_fields = fields


class InvitationCreateSerializer(KnownKeys):
    email = serializers.EmailField()
    role = serializers.ChoiceField(ROLES, help_text="Not above the caller's own.")
    days = serializers.IntegerField(
        min_value=1,
        max_value=services.MOST_INVITATION_DAYS,
        default=services.INVITATION_DAYS,
        help_text="How long its link works.",
    )


class InvitationCreatedSerializer(InvitationSerializer):
    link = serializers.CharField(help_text="Where the invited accepts; told this once.")
    mailed = serializers.BooleanField(help_text="Whether the link was also sent by mail.")

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "link", "mailed")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class InvitationList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.MANAGE_MEMBERS, "POST": Permission.MANAGE_MEMBERS}

    @extend_schema(summary="List invitations", responses=InvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Those neither used nor revoked, the newest first."""
        rows = selectors.open_invitations_of(self.organization)
        return self.page(rows, InvitationSerializer)

    @extend_schema(
        summary="Invite somebody",
        request=InvitationCreateSerializer,
        responses={201: InvitationCreatedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Takes the place of an open invitation to the same address."""
        data = self.body(InvitationCreateSerializer)
        invitation, token = services.invite(
            organization=self.organization,
            email=data["email"],
            role=Role(data["role"]),
            days=data["days"],
            actor=self.actor,
        )
        answer = _with_link(request, invitation, token)
        return Response(answer, status=status.HTTP_201_CREATED)


def _with_link(request: Request, invitation: Invitation, token: str) -> dict[str, Any]:
    link = invitation_link(request._request, token)
    told = InvitationSerializer(invitation).data
    return {**told, "link": link, "mailed": mail.send_invitation(invitation, link)}


class InvitationResend(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.MANAGE_MEMBERS}

    @extend_schema(
        summary="Send an invitation again", request=None, responses=InvitationCreatedSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """A new link, good for as many days again; the one before it works no longer. At most every five minutes."""
        rows: QuerySet[Invitation] = selectors.open_invitations_of(self.organization)
        made = services.resend_invitation(invitation=get_or_404(rows, pk=pk), actor=self.actor)
        return Response(_with_link(request, *made))


class InvitationDetail(OrganizationAPIView):
    required: ClassVar = {"DELETE": Permission.MANAGE_MEMBERS}

    @extend_schema(summary="Revoke an invitation", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Its link stops working."""
        rows: QuerySet[Invitation] = selectors.open_invitations_of(self.organization)
        services.revoke_invitation(invitation=get_or_404(rows, pk=pk), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    created_by = serializers.EmailField(source="created_by.email", default=None, allow_null=True)
    state = serializers.SerializerMethodField()
    scopes = serializers.ListField(
        child=serializers.CharField(), help_text="Empty: everything that the role may do."
    )

    class Meta:
        model = ApiKey
        fields = (
            "id", "name", "prefix", "role", "state", "created_by", "created_at", "expires_at",
            "last_used_at", "last_used_ip", "scopes", "rotated_at", "previous_expires_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_state(self, key: ApiKey) -> str:
        """active, expired or revoked."""
        return selectors.key_state(key)


def _days() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1,
        max_value=3650,
        allow_null=True,
        required=False,
        help_text="Until it expires; null means never. Left out: as long as operators of this installation "
        "have set. They may also have set the most.",
    )


class ApiKeyCreateSerializer(KnownKeys):
    name = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(ROLES, help_text="Not above the caller's own.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(list(SCOPES)),
        default=list,
        max_length=len(SCOPES),
        help_text="What it is for; without any it may do all that its role may.",
    )
    days = _days()


class ApiKeyRotateSerializer(KnownKeys):
    overlap_days = serializers.IntegerField(
        min_value=0,
        max_value=services.MOST_OVERLAP_DAYS,
        default=0,
        help_text="For so long the old key works as well.",
    )
    days = _days()


class ApiKeyCreatedSerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="The key itself; told this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class ApiKeyList(OrganizationAPIView):
    required: ClassVar = {"GET": Permission.VIEW_API_KEYS, "POST": Permission.MANAGE_API_KEYS}

    @extend_schema(summary="List API keys", responses=ApiKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Admins and owners see every key, editors those they made."""
        return self.page(selectors.api_keys_of(self.organization, self.actor), ApiKeySerializer)

    @extend_schema(
        summary="Create an API key",
        request=ApiKeyCreateSerializer,
        responses={201: ApiKeyCreatedSerializer},
    )
    def post(self, request: Request) -> Response:
        """The answer holds the key itself, which is stored only as a hash."""
        data = self.body(ApiKeyCreateSerializer)
        key, text = services.issue_api_key(
            organization=self.organization,
            name=data["name"],
            role=Role(data["role"]),
            scopes=data["scopes"],
            days=data.get("days", services.USUAL_DAYS),
            actor=self.actor,
            created_by=_person(request.user),
        )
        return _told_once(key, text, status.HTTP_201_CREATED)


class ApiKeyDetail(OrganizationAPIView):
    required: ClassVar = {"DELETE": Permission.MANAGE_API_KEYS}

    @extend_schema(summary="Revoke an API key", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """It stops working at once and stays in the list as revoked."""
        keys = selectors.api_keys_of(self.organization, self.actor)
        services.revoke_api_key(key=get_or_404(keys, pk=pk), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApiKeyRotate(OrganizationAPIView):
    required: ClassVar = {"POST": Permission.MANAGE_API_KEYS}

    @extend_schema(
        summary="Rotate an API key",
        request=ApiKeyRotateSerializer,
        responses=ApiKeyCreatedSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """The answer holds a new key with the same rights; the old one may work on for some days."""
        data = self.body(ApiKeyRotateSerializer)
        keys = selectors.api_keys_of(self.organization, self.actor)
        key, text = services.rotate_api_key(
            key=get_or_404(keys, pk=pk),
            actor=self.actor,
            overlap_days=data["overlap_days"],
            days=data.get("days", services.USUAL_DAYS),
        )
        return _told_once(key, text, status.HTTP_200_OK)


def _told_once(key: ApiKey, text: str, code: int) -> Response:
    answer = {**ApiKeySerializer(key).data, "key": text}
    return Response(answer, status=code, headers={"Cache-Control": "no-store"})


def _person(user: Any) -> User | None:
    """Who is responsible for a new key: the person, or whoever made the key that asks for it."""
    if isinstance(user, KeyHolder):
        return user.key.created_by
    return user if isinstance(user, User) else None
