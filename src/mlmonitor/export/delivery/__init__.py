"""Delivery of snapshots to one destination, with counts of the outcomes and reasons of failures."""
