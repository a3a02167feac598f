"""Anymail's view receives the webhook; importing `tracking` connects the code that handles its events."""

import tracking  # noqa: F401
from django.urls import include, path

urlpatterns = [path("anymail/", include("anymail.urls"))]
