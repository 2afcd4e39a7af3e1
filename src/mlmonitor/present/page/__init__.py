"""The live page: ASGI and WSGI apps, a server in a thread, and the assets."""
