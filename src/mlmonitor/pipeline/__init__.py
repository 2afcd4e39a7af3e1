"""The stages of monitoring joined, from the queues to exports and announcements."""
