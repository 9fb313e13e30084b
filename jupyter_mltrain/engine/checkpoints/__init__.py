"""Checkpoints: all that decides how a training goes on, in files that are whole or absent."""
