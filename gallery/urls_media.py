"""Addresses of files."""

from django.urls import path

from gallery.views import media

urlpatterns = [
    path("media/artworks/<uuid:pk>/picture", media.picture, name="media_picture"),
    path("media/artworks/<uuid:pk>/video", media.video, name="media_video"),
    path("media/artworks/<uuid:pk>/thumb", media.thumb, name="media_thumb"),
    path("media/artworks/<uuid:pk>/poem", media.poem, name="media_poem"),
    path("media/uploads/<uuid:pk>", media.upload, name="media_upload"),
]
