"""Precise boxes and masks on top of any tracker (Alpha-Refine, CVPR 2021)."""
