"""Holds the client to its style, its types and its tests.

python3 check.py          checks
python3 check.py --fix    also repairs what can be repaired
"""

from __future__ import annotations

import os
import subprocess
import sys

import prepare

SOURCES = ("prepare.py", "run_adapter.py", "check.py", "fanfare_client", "adapter", "tests")


def _python(*arguments: str, path: list[str], types: list[str] | None = None) -> bool:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "MYPYPATH": os.pathsep.join(types or [])}
    command = [sys.executable, "-B", "-m", *arguments]
    return subprocess.run(command, cwd=prepare.HERE, env=env, check=False).returncode == 0  # noqa: S603


def main() -> None:
    tools, runtime, generated = str(prepare.check_packages()), str(prepare.packages()), str(prepare.generated())
    if "--fix" in sys.argv:
        _python("ruff", "check", "--fix", "--quiet", ".", path=[tools])
        _python("ruff", "format", ".", path=[tools])
    passed = [
        _python("ruff", "format", "--check", ".", path=[tools]),
        _python("ruff", "check", ".", path=[tools]),
        _python("mypy", *SOURCES, path=[tools], types=[str(prepare.stubs()), generated, runtime]),
        _python("unittest", "discover", "--start-directory", "tests", path=[".", generated, runtime]),
    ]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
