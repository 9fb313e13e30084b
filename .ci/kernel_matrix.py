"""Run the tests of the live view on other versions of ipykernel: `python .ci/kernel_matrix.py [VERSION ...]`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("6.29.5", "7.1.0", "7.3.0")
TESTS = ("tests/widgets/test_pump.py", "tests/widgets/test_train_view.py", "tests/browser/test_live_view.py")


def run(version: str) -> bool:
    """Return whether the tests pass on a version, which goes before the installed one for the tests and their kernels."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, f"ipykernel=={version}"]
        subprocess.run(pip, check=True)
        print(f"ipykernel {version}", flush=True)
        tests = [sys.executable, "-m", "pytest", "-q", *TESTS]
        return subprocess.run(tests, cwd=ROOT, env={**os.environ, "PYTHONPATH": folder}, check=False).returncode == 0


if __name__ == "__main__":
    failed = [version for version in sys.argv[1:] or VERSIONS if not run(version)]
    sys.exit(f"failed on ipykernel {', '.join(failed)}" if failed else 0)
