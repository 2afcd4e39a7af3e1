"""Rows that were counted in many places, as one."""
