"""The stages of the line, joined: from the queues to what is exported and announced."""
