"""Execution plans: how the steps of an epoch are carried out."""
