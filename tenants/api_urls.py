"""Below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from tenants import api

urlpatterns = [
    path("shared/", api.SharedList.as_view(), name="api-shared-list"),
    path("members/", api.MemberList.as_view(), name="api-member-list"),
    path("members/<int:pk>/", api.MemberDetail.as_view(), name="api-member-detail"),
    path("invitations/", api.InvitationList.as_view(), name="api-invitation-list"),
    path(
        "invitations/<int:pk>/resend/",
        api.InvitationResend.as_view(),
        name="api-invitation-resend",
    ),
    path("invitations/<int:pk>/", api.InvitationDetail.as_view(), name="api-invitation-detail"),
    path("api-keys/", api.ApiKeyList.as_view(), name="api-api-key-list"),
    path("api-keys/<int:pk>/", api.ApiKeyDetail.as_view(), name="api-api-key-detail"),
    path("api-keys/<int:pk>/rotate/", api.ApiKeyRotate.as_view(), name="api-api-key-rotate"),
]
