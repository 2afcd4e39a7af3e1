"""A Celery app without an mlmonitor hook; its broker and its results are folders."""

import os

from celery import Celery
from service import predict

folder = os.environ["SERVICE_FOLDER"]
app = Celery("served", broker="filesystem://", backend=f"file://{folder}")
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": folder,
}
app.conf.task_default_queue = "served"


@app.task
def score(amount: float) -> int:
    """Make one prediction, and return the process that made it."""
    predict({"amount": amount, "line": "A"})
    return os.getpid()
