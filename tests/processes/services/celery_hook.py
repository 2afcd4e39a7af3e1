"""The same Celery app with the mlmonitor hook."""

from celery_app import app

from mlmonitor.integrations.celery import connect

__all__ = ["app"]

connect()
