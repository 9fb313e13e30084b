"""Compare the plans with bare `fit`: `.venv/bin/python -m tests.benchmarks.plans`; README.md says how to read its table.

The table goes to stdout, what each round brought to stderr. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from statistics import geometric_mean
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.quiet import quieten

if TYPE_CHECKING:
    from tests.benchmarks.plans.measuring import Pair, Settings
    from tests.benchmarks.plans.memory import Peaks
    from tests.benchmarks.plans.models import Case

_NONE = "\N{EN DASH}"


def main() -> None:
    """Measure what the line asks for and print the table, each row as soon as it is known."""
    options = _options()
    quieten()
    from tests.benchmarks.plans import measuring, memory, operations

    settings = measuring.Settings(
        lengths=options.lengths,
        num_rounds=options.rounds,
        most_seconds=options.most_seconds,
        steady_seconds=options.steady_seconds,
        plan=options.plan,
        again=options.again,
    )
    chosen, rate, ratios = _chosen(options), operations.matmul_rate(), []
    _print_heading(settings, rate, has_memory=options.memory)
    for case in chosen:
        measured = measuring.measure(case, settings)
        cells = [*map(_ratio, measured.whole.values()), _ratio(measured.steady), *_steps(measured.steady), measured.plan or _NONE]
        cells.append(f"{operations.of_step(case) / measured.steady.engine / rate:.1%}" if measured.steady else _NONE)
        if options.memory:
            cells += _megabytes(memory.measure(case, settings) if measured.steady else None)
        print(f"| {case.name} | {' | '.join(cells)} |", flush=True)
        ratios += [measured.steady.ratio] if measured.steady else []
    if ratios:
        print(f"\nGeometric mean of the steady state: {geometric_mean(ratios):.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plans", description="Compare the plans with bare fit.")
    parser.add_argument("--rows", type=_numbers, default=(500, 20_000, 500_000), help="of the tables of the three MLPs")
    parser.add_argument("--rounds", type=int, default=5, help="how often each training is done by each arm")
    parser.add_argument("--lengths", type=_numbers, default=(2, 20, 200), help="epochs of the whole trainings")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="models whose names hold one of these texts")
    parser.add_argument("--most-seconds", type=float, default=60, help="of bare fit for one training; longer ones are left out")
    parser.add_argument("--steady-seconds", type=float, default=20, help="about how long the training for the steady state lasts")
    parser.add_argument("--plan", type=Plan, default=Plan.AUTO, help=f"that the engine is asked for: {', '.join(Plan)}")
    parser.add_argument("--again", action="store_true", help="let the engine have trained such a model before")
    parser.add_argument("--memory", action="store_true", help="also compare the peak memory, in a process for each arm")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _chosen(options: argparse.Namespace) -> list[Case]:
    from tests.benchmarks.plans.models import cases

    found = cases(options.rows)
    chosen = [case for case in found if any(text.lower() in case.name.lower() for text in options.only or [""])]
    if not chosen:
        names = ", ".join(repr(case.name) for case in found)
        sys.exit(f"expected --only to name models, received {options.only}: there are {names}")
    return chosen


def _print_heading(settings: Settings, rate: float, *, has_memory: bool) -> None:
    print(
        f"{os.cpu_count()} cores, TensorFlow {version('tensorflow')}, Keras {version('keras')}; float32 matrix product "
        f"{rate / 1e9:.0f} GFLOP/s; plan {settings.plan}{', trained before' if settings.again else ''}; medians of "
        f"{settings.num_rounds}.\n"
    )
    names = ["model", *(f"{epochs} epochs" for epochs in settings.lengths), "steady state"]
    names += ["bare, ms a step", "engine, ms a step", "plan at the end", "of the matrix product"]
    names += ["bare's peak, MB", "engine over it, MB", "data, MB"] if has_memory else []
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}", flush=True)


def _ratio(pair: Pair | None) -> str:
    return f"{pair.ratio:.2f}" if pair else _NONE


def _steps(steady: Pair | None) -> list[str]:
    return [f"{seconds * 1000:.3g}" for seconds in (steady.bare, steady.engine)] if steady else [_NONE, _NONE]


def _megabytes(peaks: Peaks | None) -> list[str]:
    if peaks is None:
        return [_NONE] * 3
    return [f"{num_bytes / 2**20:.0f}" for num_bytes in (peaks.bare, peaks.engine - peaks.bare, peaks.data)]


if __name__ == "__main__":
    main()
