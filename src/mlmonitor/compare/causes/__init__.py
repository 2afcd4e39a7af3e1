"""What has changed: the causes of incidents, from the rows since the change."""
