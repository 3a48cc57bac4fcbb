"""Impressions and the actions that follow them become examples."""
