"""Pages of orchestration."""

app_name = "orchestration"
urlpatterns: list = []
