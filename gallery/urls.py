"""URLs of the gallery's pages and their JSON."""

from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from gallery.views import (
    artworks,
    belongings,
    gallery,
    inscription,
    jobs,
    moderation,
    poems,
    similar,
    site,
    studio,
    workers,
)

urlpatterns = [
    path("", gallery.gallery, name="gallery"),
    path("studio/", studio.studio, name="studio"),
    path("studio/<slug:kind>/", studio.studio_kind, name="studio_kind"),
    path("jobs/", jobs.my_jobs, name="my_jobs"),
    path("jobs/<uuid:job_id>/", jobs.job, name="job"),
    path("jobs/<uuid:job_id>.json", jobs.job_json, name="job_json"),
    path("jobs/<uuid:job_id>/look/", jobs.job_look, name="job_look"),
    path("jobs/<uuid:job_id>/cancel/", jobs.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job_id>/enough/", jobs.job_finish_early, name="job_finish_early"),
    path("jobs/<uuid:job_id>/retry/", jobs.job_retry, name="job_retry"),
    path("works/", gallery.my_works, name="my_works"),
    path("works/<uuid:artwork_id>/", artworks.artwork, name="artwork"),
    path("works/<uuid:artwork_id>/family/", artworks.artwork_family, name="artwork_family"),
    path("works/<uuid:artwork_id>/similar/", similar.artwork_similar, name="artwork_similar"),
    path("works/<uuid:artwork_id>/inscribe/", inscription.artwork_inscribe, name="artwork_inscribe"),
    path("works/<uuid:artwork_id>/edit/", artworks.artwork_edit, name="artwork_edit"),
    path("works/<uuid:artwork_id>/delete/", artworks.artwork_delete, name="artwork_delete"),
    path("works/<uuid:artwork_id>/again/", artworks.artwork_again, name="artwork_again"),
    path("works/<uuid:artwork_id>/lead/", poems.poem_lead, name="poem_lead"),
    path("uploads/", belongings.my_uploads, name="my_uploads"),
    path("uploads/<uuid:upload_id>/delete/", belongings.upload_delete, name="upload_delete"),
    path("accounts/delete/", belongings.account_delete, name="account_delete"),
    path("search/", similar.picture_search, name="picture_search"),
    path("moderation/", moderation.queue, name="moderation"),
    path("moderation/log/", moderation.log, name="moderation_log"),
    path("moderation/log/<int:entry_id>/undo/", moderation.undo, name="moderation_undo"),
    path("moderation/<uuid:artwork_id>/", moderation.decide, name="moderation_decide"),
    path("workers/", workers.overview, name="workers"),
    path("workers/drain/", workers.drain, name="worker_drain"),
    path("welcome/<str:token>/", site.welcome, name="welcome"),
    path("accounts/invite/<str:token>/", site.invitation, name="invitation"),
    path("theme/", site.theme, name="theme"),
    path("healthz", site.healthz, name="healthz"),
    path("readyz", site.readyz, name="readyz"),
    path("", include("gallery.urls_media")),
]
if settings.DEBUG:
    urlpatterns.append(path("patterns/", include("gallery.views.patterns.urls")))
