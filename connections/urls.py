"""Pages of connections, below ``/o/<organization>/connections/``."""

from django.urls import path

from connections import views_detail, views_files, views_form, views_list, views_sharing

app_name = "connections"

urlpatterns = [
    path("", views_list.connection_list, name="connection-list"),
    path("new/", views_list.connection_create, name="connection-create"),
    path(
        "new/<slug:connector>/",
        views_form.connection_create_details,
        name="connection-create-details",
    ),
    path("files/", views_files.file_list, name="file-list"),
    path("files/upload/", views_files.file_create, name="file-create"),
    path("files/<str:name>/delete/", views_files.file_delete, name="file-delete"),
    path("<slug:slug>/", views_detail.connection_detail, name="connection-detail"),
    path("<slug:slug>/edit/", views_form.connection_update, name="connection-update"),
    path("<slug:slug>/check/", views_detail.connection_check, name="connection-check"),
    path("<slug:slug>/duplicate/", views_detail.connection_duplicate, name="connection-duplicate"),
    path("<slug:slug>/delete/", views_detail.connection_delete, name="connection-delete"),
    path("<slug:slug>/sharing/", views_sharing.connection_sharing, name="connection-sharing"),
    path("<slug:slug>/sharing/give/", views_sharing.connection_share, name="connection-share"),
    path(
        "<slug:slug>/sharing/<int:member>/take/",
        views_sharing.connection_unshare,
        name="connection-unshare",
    ),
    path("<slug:slug>/catalog/", views_detail.connection_catalog, name="connection-catalog"),
    path("<slug:slug>/table/", views_detail.connection_table, name="connection-table"),
]
