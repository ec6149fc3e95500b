"""Pages of pipelines, below ``/o/<organization>/pipelines/``."""

from django.urls import path

from pipelines import (
    views,
    views_configuration,
    views_list,
    views_refresh,
    views_rejects,
    views_resources,
    views_sharing,
    views_state,
    views_what,
    views_wizard,
)

app_name = "pipelines"

wizard = [
    path("new/", views_wizard.pipeline_create, name="pipeline-create"),
    path("new/<int:draft>/source/", views_wizard.draft_source, name="draft-source"),
    path("new/<int:draft>/what/", views_what.draft_what, name="draft-what"),
    path("new/<int:draft>/how/", views_wizard.draft_how, name="draft-how"),
    path("new/<int:draft>/how/add/", views_resources.draft_resource_add, name="draft-resource-add"),
    path(
        "new/<int:draft>/how/<int:position>/", views_resources.draft_resource, name="draft-resource"
    ),
    path(
        "new/<int:draft>/how/<int:position>/remove/",
        views_resources.draft_resource_remove,
        name="draft-resource-remove",
    ),
    path("new/<int:draft>/destination/", views_wizard.draft_destination, name="draft-destination"),
    path("new/<int:draft>/review/", views_wizard.draft_review, name="draft-review"),
    path("new/<int:draft>/discard/", views_wizard.draft_discard, name="draft-discard"),
]

urlpatterns = [
    path("", views_list.pipeline_list, name="pipeline-list"),
    *wizard,
    path("<slug:slug>/", views.pipeline_detail, name="pipeline-detail"),
    path("<slug:slug>/tables/", views.pipeline_tables, name="pipeline-tables"),
    path("<slug:slug>/tables/add/", views_resources.resource_add, name="resource-add"),
    path(
        "<slug:slug>/tables/<int:position>/",
        views_resources.resource_update,
        name="resource-update",
    ),
    path(
        "<slug:slug>/tables/<int:position>/remove/",
        views_resources.resource_remove,
        name="resource-remove",
    ),
    path("<slug:slug>/runs/", views.pipeline_runs, name="pipeline-runs"),
    path("<slug:slug>/state/", views_state.pipeline_state, name="pipeline-state"),
    path("<slug:slug>/state/<int:position>/move/", views_state.cursor_move, name="cursor-move"),
    path("<slug:slug>/state/<int:position>/reset/", views_state.cursor_reset, name="cursor-reset"),
    path("<slug:slug>/rejects/", views_rejects.pipeline_rejects, name="pipeline-rejects"),
    path("<slug:slug>/rejects/retry/", views_rejects.rejects_retry, name="rejects-retry"),
    path("<slug:slug>/rejects/discard/", views_rejects.rejects_discard, name="rejects-discard"),
    path("<slug:slug>/schema/", views.pipeline_shape, name="pipeline-shape"),
    path("<slug:slug>/refresh/", views_refresh.pipeline_refresh, name="pipeline-refresh"),
    path(
        "<slug:slug>/refresh/estimate/",
        views_refresh.pipeline_estimate,
        name="pipeline-estimate",
    ),
    path("<slug:slug>/configuration/", views_configuration.pipeline_update, name="pipeline-update"),
    path(
        "<slug:slug>/configuration/yaml/", views_configuration.pipeline_yaml, name="pipeline-yaml"
    ),
    path("<slug:slug>/changes/", views.pipeline_changes, name="pipeline-changes"),
    path("<slug:slug>/sharing/", views_sharing.pipeline_sharing, name="pipeline-sharing"),
    path("<slug:slug>/sharing/give/", views_sharing.pipeline_share, name="pipeline-share"),
    path(
        "<slug:slug>/sharing/<int:member>/take/",
        views_sharing.pipeline_unshare,
        name="pipeline-unshare",
    ),
    path("<slug:slug>/pause/", views.pipeline_pause, name="pipeline-pause"),
    path("<slug:slug>/resume/", views.pipeline_resume, name="pipeline-resume"),
    path("<slug:slug>/duplicate/", views_wizard.pipeline_duplicate, name="pipeline-duplicate"),
    path("<slug:slug>/delete/", views.pipeline_delete, name="pipeline-delete"),
]
