"""Operators of their own: each module holds the version that defines the result and its registration with torch."""
