"""The event log: every prediction, label and alert as an event, to a broker, database or folder."""
