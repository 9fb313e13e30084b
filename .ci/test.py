"""Install what the tests need and run them all: `python3 .ci/test.py`; what follows is handed on to pytest.

Needs nothing but Python 3.11 or newer: it makes `.venv` in the project's folder, or takes the one that is there. Once that
is done it works without a network.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
IN_CI = os.environ.get("CI") == "true"
CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("lint-imports",))
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever `python3` is runs this file
        sys.exit(f"expected Python 3.11 or newer, received {sys.version.split()[0]}: run this file with a newer one")
    install()
    chromium, postgres, strace = find_chromium(), find_postgres(), find_strace()
    failed = [
        " ".join(check) for check in CHECKS if not run(f"Check with {' '.join(check)}", VENV / "bin" / check[0], *check[1:])
    ]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}. The tests were not run.")
    parts = {"Chromium": chromium, "PostgreSQL": postgres, "strace": strace}
    missing = [what for what, found in parts.items() if not found]
    say(f"Run the tests; those that need {' or '.join(missing)} are skipped" if missing else "Run the tests")
    # In the files' own order the longest of them are not the last.
    side_by_side = () if arguments else ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    pytest = [VENV / "bin" / "python", "-m", "pytest", *side_by_side, *arguments]
    return subprocess.run(pytest, cwd=ROOT, env={**os.environ, "CHROMIUM": chromium or ""}, check=False).returncode


def install() -> None:
    """Install the package with its tests' needs, unless that was done for this pyproject.toml."""
    wanted, installed = ROOT / "pyproject.toml", VENV / "pyproject.toml"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    if not (VENV / "bin" / "python").exists():
        venv.create(VENV, with_pip=True)
    pip = (VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", ".[test]")
    if not run("Install, which takes some minutes the first time", *pip):
        sys.exit("Failed: the installation.")
    shutil.copy(wanted, installed)


def find_chromium() -> str | None:
    """Return a Chromium; as root on Debian it is installed if there is none."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None and install_debian("Chromium", "chromium"):
        found = shutil.which("chromium")
    if found is None and IN_CI:
        sys.exit("Failed: there is no Chromium for the tests in a browser, and none can be installed.")
    return found


def find_postgres() -> str | None:
    """Return a PostgreSQL's initdb; as root on Debian it is installed if there is none."""
    found = initdb()
    if found is None and install_debian("PostgreSQL", "postgresql"):
        found = initdb()
    if found is None and IN_CI:
        sys.exit("Failed: there is no PostgreSQL for the tests of a shared store, and none can be installed.")
    return found


def find_strace() -> str | None:
    """Return the program that kills a process at each of its system calls; as root on Debian it is installed if there is none."""
    found = shutil.which("strace")
    if found is None and install_debian("strace", "strace"):
        found = shutil.which("strace")
    return found


def initdb() -> str | None:
    return shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)


def install_debian(what: str, package: str) -> bool:
    """Install a package as root on Debian; tell whether that was done."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    run("Look up Debian's packages", "apt-get", "update", "--quiet=2")
    return run(f"Install {what}", "apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", package)


def run(what: str, *command: str | Path) -> bool:
    """Say what is done, do it, and show what it printed only if it failed."""
    say(what)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=ROOT, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        print(done.stdout.decode(errors="replace"), flush=True)
    return done.returncode == 0


def say(what: str) -> None:
    print(f"{what} …", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
