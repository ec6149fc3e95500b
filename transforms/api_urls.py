"""API routes of transforms."""

urlpatterns: list[object] = []
