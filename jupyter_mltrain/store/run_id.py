"""Identifiers that sort by the time of their making."""

from __future__ import annotations

import secrets
import time

# Crockford's base 32 (https://www.crockford.com/base32.html): no i, l, o, u, so an id can be read aloud and typed.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 18  # beside 42 bits of milliseconds, enough until the year 2109


def new_run_id() -> str:
    """Return 12 characters that sort by time.

    Two ids of one millisecond are alike once in 262,144 times; whoever makes a folder of that name finds out. The
    randomness comes from the operating system, so the generators that a user has seeded do not move.
    """
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(55, -1, -5))
