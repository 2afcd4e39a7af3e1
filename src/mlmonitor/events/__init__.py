"""The event log: sends predictions, labels and alerts as events to a broker, database or folder."""
