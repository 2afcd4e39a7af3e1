"""Dashboards and alert rules as files, written for the naming of a backend."""
