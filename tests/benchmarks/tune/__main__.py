"""Compare `%%tune` with other tuners: `.venv/bin/python -m tests.benchmarks.tune`; README.md says how to read its tables.

The tables go to stdout, what each search brought to stderr. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from statistics import mean, median, stdev
from typing import TYPE_CHECKING

from jupyter_mltrain.engine.quiet import quieten

if TYPE_CHECKING:
    from tests.benchmarks.tune.arms import Log

OURS, TIMED, OPTUNA, BARE = "%%tune", "%%tune --max-time", "Optuna", "no tuner"
STOCK = ("KT RandomSearch", "KT BayesianOptimization")
_PROBLEMS = ("tabular", "cnn", "text")
_NONE = "\N{EN DASH}"
_FEW, _MANY = 20, 200  # trials
_NUM_WARM, _NUM_TRIVIAL = 5, 25
_WIDTHS, _NUM_SIDE_BY_SIDE = (1, 2, 4), 24
Logs = dict[str, "Log"]  # of one seed, by arm


def main() -> None:
    """Measure what the line asks for and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tune", description="Compare %%tune with other tuners.")
    parser.add_argument("--problems", nargs="*", choices=_PROBLEMS, default=_PROBLEMS)
    parser.add_argument("--trials", type=int, default=12, help="of each search")
    parser.add_argument("--seeds", type=int, default=5, help="searches of each arm")
    parser.add_argument("--overhead", action="store_true", help="also measure what a trial costs that trains next to nothing")
    parser.add_argument("--memory", action="store_true", help=f"also measure the memory after {_FEW} and {_MANY} trials")
    parser.add_argument("--side-by-side", action="store_true", help="also time trials in several processes")
    options = parser.parse_args()
    quieten()
    packages = ("tensorflow", "keras", "keras-tuner", "optuna")
    print(f"{os.cpu_count()} cores, {', '.join(f'{name} {version(name)}' for name in packages)}.")
    for problem in options.problems if options.seeds else ():
        rounds = [_round(problem, seed, options.trials) for seed in range(options.seeds)]
        print(
            f"\n### {problem}: {options.trials} trials, seeds: {options.seeds}\n\n{_compared(rounds, options.trials)}", flush=True
        )
    if options.overhead:
        _print_overhead()
    if options.side_by_side:
        _print_side_by_side(options.problems)
    if options.memory:
        _print_memory()


def _round(problem: str, seed: int, trials: int) -> Logs:
    """Let each arm search with one seed, the stock tuners first, since the others get their time."""
    logs = {arm: _searched(problem, arm, seed, trials) for arm in STOCK}
    _, seconds = _stock(logs)
    others = OURS, TIMED, OPTUNA
    for arm in others if seed % 2 else reversed(others):
        logs[arm] = _searched(problem, arm, seed, trials, seconds)
    return {arm: logs[arm] for arm in (OURS, TIMED, *STOCK, OPTUNA)}


def _searched(problem: str, arm: str, seed: int, trials: int, seconds: float | None = None) -> Log:
    """Search in a process of its own, for so many trials, or on until so many seconds are over, as the arm does."""
    from tests.benchmarks.tune import arms

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.tune.arms"])
    with context.Pool(1) as pool:
        log: Log = pool.apply(arms.searched, (problem, arm, seed, trials, seconds))
    said = f"{problem}, seed {seed}, {arm}: {len(log.values)} trials in {log.seconds[-1]:.2f} s, best {min(log.values):.4g}"
    if len(log.values) > trials:
        said += f"; {trials} in {log.seconds[trials - 1]:.2f} s, best {min(log.values[:trials]):.4g}"
    print(said, file=sys.stderr, flush=True)
    return log


def _stock(logs: Logs) -> tuple[float, float]:
    """Return the best that stock Keras Tuner reached with a seed, and what the whole search took that reached it."""
    return min((min(logs[arm].values), logs[arm].seconds[-1]) for arm in STOCK)


def _compared(rounds: list[Logs], trials: int) -> str:
    names = (
        f"{trials} trials, s",
        "over `%%tune`",
        "to stock's best, s",
        f"best of {trials} trials",
        "by seed",
        "`%%tune`'s is better by",
        "best in stock's time",
    )
    rows = [["", *names]]
    whole = _by_arm(rounds, lambda log, _: log.seconds[trials - 1] if len(log.seconds) >= trials else math.inf)
    reached = _by_arm(rounds, lambda log, stock: _reached(log, stock[0]))
    best = _by_arm(rounds, lambda log, _: min(log.values[:trials]))
    timed = _by_arm(rounds, lambda log, stock: _best_until(log, stock[1]))
    for arm in rounds[0]:
        ratio = median(theirs / ours for theirs, ours in zip(whole[arm], whole[OURS], strict=True))
        rows.append([arm, f"{median(whole[arm]):.1f}", f"{ratio:.2f}", _number(median(reached[arm])), f"{median(best[arm]):.4g}"])
        rows[-1] += [", ".join(f"{value:.3g}" for value in best[arm]), _gain(best[OURS], best[arm]), _number(median(timed[arm]))]
    halves = [ours / min(reached[arm][seed] for arm in STOCK) for seed, ours in enumerate(reached[TIMED])]
    said = "`%%tune --max-time` came to stock's best in this share of the time that stock took to come there: "
    return f"{_table(rows)}\n\n{said}{', '.join(map(_number, halves))}; median {_number(median(halves))}."


def _gain(ours: list[float], theirs: list[float]) -> str:
    """Return how much lower ours are in the mean of the seeds, and the standard error of that mean: the seeds' noise."""
    gains = [their - our for our, their in zip(ours, theirs, strict=True)]
    error = f" ± {stdev(gains) / math.sqrt(len(gains)):.2g}" if len(gains) > 1 else ""
    return f"{mean(gains):.2g}{error}" if any(gains) else _NONE


def _by_arm(rounds: list[Logs], figure: Callable[[Log, tuple[float, float]], float]) -> dict[str, list[float]]:
    return {arm: [figure(logs[arm], _stock(logs)) for logs in rounds] for arm in rounds[0]}


def _reached(log: Log, value: float) -> float:
    """Return the seconds until a value, infinite where that was not reached."""
    return next((seconds for seconds, each in zip(log.seconds, log.values, strict=True) if each <= value), math.inf)


def _best_until(log: Log, seconds: float) -> float:
    return min((value for ended, value in zip(log.seconds, log.values, strict=True) if ended <= seconds), default=math.inf)


def _print_overhead() -> None:
    print("\n### Overhead: one neuron, four rows, one epoch\n")
    rows = [["", "a trial, ms", "over no tuner, ms"]]
    for arm in (BARE, OURS, *STOCK, OPTUNA):
        ends = _searched("trivial", arm, 0, _NUM_TRIVIAL).seconds
        cost = 1000 * median(after - before for before, after in zip(ends[_NUM_WARM:], ends[_NUM_WARM + 1 :], strict=False))
        rows.append([arm, f"{cost:.0f}", f"{cost - float(rows[1][1]):.0f}" if len(rows) > 1 else _NONE])
    print(_table(rows), flush=True)


def _print_side_by_side(problems: Iterable[str]) -> None:
    print(f"\n### Side by side: {_NUM_SIDE_BY_SIDE} trials drawn at random, none pruned\n")
    rows = [["", *(f"--parallel {width}, s" for width in _WIDTHS), f"the last {_NUM_SIDE_BY_SIDE // 2}, s"]]
    for problem in problems:
        ends = [_searched(problem, f"--parallel {width}", 0, _NUM_SIDE_BY_SIDE).seconds for width in _WIDTHS]
        later = ", ".join(f"{each[-1] - each[_NUM_SIDE_BY_SIDE // 2 - 1]:.1f}" for each in ends)
        rows.append([problem, *(f"{each[-1]:.1f}" for each in ends), later])
    print(_table(rows), flush=True)


def _print_memory() -> None:
    print("\n### Memory: MLPs that differ in layers and units\n")
    rows = [["", f"after {_FEW} trials, MB", f"after {_MANY}, MB", "more"]]
    for arm in (BARE, OURS, "--parallel 1", *STOCK, OPTUNA):
        memory = _searched("growing", arm, 0, _MANY).memory
        few, many = memory[_FEW - 1], memory[_MANY - 1]
        rows.append([arm, f"{few / 2**20:.0f}", f"{many / 2**20:.0f}", f"{many / few - 1:.1%}"])
    print(_table(rows), flush=True)


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "not reached"


def _table(rows: Iterable[list[str]]) -> str:
    heading, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([heading, "|---" * (heading.count("|") - 1) + "|", *others])


if __name__ == "__main__":
    main()
