"""Objectives: declared bounds of measures, which fire alerts."""
