"""The live page, the report, dashboards and alert rules."""
