"""The half of capture that runs in the host's threads: copy, time, hand over."""
