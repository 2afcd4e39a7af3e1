"""A Flask service, without any hook of ours."""

from flask import Flask, request
from service import answer

app = Flask(__name__)


@app.get("/")
def root() -> bytes:
    """One prediction a request."""
    return answer(request.query_string)
