"""Pages of transforms."""

app_name = "transforms"
urlpatterns: list[object] = []
