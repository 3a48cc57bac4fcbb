"""Feedmill: the recommendation engine that learns while it serves."""

__version__ = "0.1.0"
