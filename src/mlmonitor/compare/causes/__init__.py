"""Causes of incidents, found in the rows since the change."""
