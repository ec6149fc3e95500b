"""Pages of pipelines."""

app_name = "pipelines"
urlpatterns: list[object] = []
