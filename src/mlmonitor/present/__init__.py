"""What people look at: dashboards and alert rules for the products they have."""
