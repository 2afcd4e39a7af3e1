"""Anytime-valid evidence about risks and estimates."""
