"""The checks behind `tools/check_packages.py`: each is a function from a `Repository` to the faults it found."""
