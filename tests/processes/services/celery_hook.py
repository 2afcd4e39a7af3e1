"""The same app with our hook: one line."""

from celery_app import app

from mlmonitor.integrations.celery import connect

__all__ = ["app"]

connect()
