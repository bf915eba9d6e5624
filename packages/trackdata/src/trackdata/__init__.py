"""Tracking data in (datasets, sampling, synthetic video) and numbers out (evaluation, reports)."""
