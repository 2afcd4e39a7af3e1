"""The live page: an ASGI app, its server beside a script, and its assets."""
