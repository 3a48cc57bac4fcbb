"""Protocols: what is learned from and what is asked for, and models compared under them."""
