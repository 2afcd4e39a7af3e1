"""The monitoring stages joined into a pipeline, from the queues to exports and announcements."""
