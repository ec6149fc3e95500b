"""Pages of transforms. A name never begins with a hyphen, so "-/" is free for what is not one."""

from django.urls import path

from transforms import views, views_editor

app_name = "transforms"
urlpatterns = [
    path("", views.transformation_list, name="transformation-list"),
    path("-/sources/", views.source_list, name="source-list"),
    path("-/new/", views_editor.transformation_create, name="transformation-create"),
    path("-/new/preview/", views_editor.draft_preview, name="draft-preview"),
    path("-/new/compile/", views_editor.draft_compile, name="draft-compile"),
    path("<slug:name>/", views_editor.transformation_detail, name="transformation-detail"),
    path(
        "<slug:name>/preview/", views_editor.transformation_preview, name="transformation-preview"
    ),
    path(
        "<slug:name>/compile/", views_editor.transformation_compile, name="transformation-compile"
    ),
    path("<slug:name>/delete/", views.transformation_delete, name="transformation-delete"),
]
