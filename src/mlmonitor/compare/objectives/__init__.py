"""Objectives: declared bounds of measures, watched at any time."""
