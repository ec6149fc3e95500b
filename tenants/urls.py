"""Pages of tenants: those of a person, and the organization's own below ``/o/<organization>/``."""

from django.urls import include, path

from tenants import views

app_name = "tenants"
urlpatterns = [
    path("welcome/", views.welcome, name="welcome"),
    path("organizations/", views.organization_list, name="organization-list"),
    path("organizations/new/", views.organization_create, name="organization-create"),
    path("invitations/<str:token>/", views.invitation_accept, name="invitation-accept"),
    path("account/", include("tenants.account_urls")),
    path("o/<slug:organization>/", include("tenants.organization_urls")),
]
