"""Measure what the package costs: `.venv/bin/python -m tests.benchmarks [--seconds 20] [--rounds 3] [--runs 10000]`.

Prints the table that stands in README.md beside this file. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse

from tests.benchmarks import checkpoints, listing, loading, training, views


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the package costs.")
    parser.add_argument("--seconds", type=float, default=20, help="of training a cell")
    parser.add_argument("--rounds", type=int, default=3, help="how often each cell is run")
    parser.add_argument("--runs", type=int, default=10_000, help="in the home that is listed")
    options = parser.parse_args()
    print("| what | measured |\n|---|---|", flush=True)
    for measured in (
        loading.measure(),
        listing.measure(num_runs=options.runs),
        views.measure(num_runs=options.runs),
        training.measure(seconds=options.seconds, num_rounds=options.rounds),
        checkpoints.measure(seconds=options.seconds, num_rounds=options.rounds),
    ):
        for what, value in measured:
            print(f"| {what} | {value} |", flush=True)


if __name__ == "__main__":
    main()
