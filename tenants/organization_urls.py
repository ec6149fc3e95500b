"""Pages of an organization; included by ``tenants.urls``, whose namespace they share."""

from django.urls import path

from tenants import api_key_views as keys
from tenants import lifecycle_views as lifecycle
from tenants import organization_views as views
from tenants import shared_views

urlpatterns = [
    path("shared/", shared_views.shared_list, name="shared-list"),
    path("members/", views.member_list, name="member-list"),
    path("members/invite/", views.member_invite, name="member-invite"),
    path("members/leave/", lifecycle.organization_leave, name="organization-leave"),
    path("members/<int:pk>/role/", views.member_role, name="member-role"),
    path("members/<int:pk>/remove/", views.member_remove, name="member-remove"),
    path("invitations/<int:pk>/resend/", views.invitation_resend, name="invitation-resend"),
    path("invitations/<int:pk>/revoke/", views.invitation_revoke, name="invitation-revoke"),
    path("api-keys/", keys.api_key_list, name="api-key-list"),
    path("api-keys/new/", keys.api_key_create, name="api-key-create"),
    path("api-keys/<int:pk>/rotate/", keys.api_key_rotate, name="api-key-rotate"),
    path("api-keys/<int:pk>/revoke/", keys.api_key_revoke, name="api-key-revoke"),
    path("settings/", views.settings, name="settings"),
    path("settings/hand-over/", lifecycle.organization_hand_over, name="organization-hand-over"),
    path("settings/delete/", lifecycle.organization_delete, name="organization-delete"),
    path("settings/restore/", lifecycle.organization_restore, name="organization-restore"),
]
