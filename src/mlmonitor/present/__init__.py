"""What people look at: the live page, the report, and dashboards and alert rules."""
