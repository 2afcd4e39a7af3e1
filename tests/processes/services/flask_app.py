"""A Flask service without an mlmonitor hook."""

from flask import Flask, request
from service import answer

app = Flask(__name__)


@app.get("/")
def root() -> bytes:
    """Make one prediction a request."""
    return answer(request.query_string)
