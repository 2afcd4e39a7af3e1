"""The commands of `mlmonitor`, one file each."""
