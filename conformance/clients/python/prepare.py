"""Makes what the client needs and nobody commits: installed packages, and Python code of the proto files.

    python3 prepare.py            what the client and its adapter need
    python3 prepare.py --check    also what check.py needs

Everything stands in `.cache`, in folders named after what they are made from: a change makes a new folder, no change is
seen in a few milliseconds. A folder gets its name when it is whole, so processes can begin at the same time and none
sees a half of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two processes may do the same work, and the second one's is thrown away.
    fcntl = None  # type: ignore[assignment]

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
PROTO = HERE.parents[2] / "proto"
PROTO_FILES = [*sorted(PROTO.glob("fanfare/v1/*.proto")), PROTO / "fanfare/conformance/v1alpha/adapter.proto"]
# Compiled packages are of one version of Python on one kind of machine.
PYTHON = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"


def packages() -> Path:
    """The folder with what the client imports."""
    return _installed("packages", HERE / "requirements.txt")


def check_packages() -> Path:
    """The folder with what checks the sources."""
    return _installed("check", HERE / "requirements-check.txt")


def stubs() -> Path:
    """The folder with the types of `google.protobuf`, by the name under which a type checker finds them outside of an
    environment.
    """
    requirements = HERE / "requirements-check.txt"

    def make(folder: Path) -> None:
        shutil.copytree(check_packages() / "google-stubs", folder / "google")

    return _made("stubs", [requirements], make)


def generated() -> Path:
    """The folder with the package `fanfare`, made from the proto files."""
    requirements = HERE / "requirements-generate.txt"

    def make(folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{PROTO}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
        ]
        tools = _installed("generate", requirements)
        _run([*command, *map(str, PROTO_FILES)], {"PYTHONPATH": str(tools)})

    return _made("generated", [requirements, *PROTO_FILES], make)


def use() -> None:
    """Makes what the client needs and lets this process import it."""
    if sys.version_info < (3, 11):  # noqa: UP036 Said in words, because an older Python says it by a syntax error far from here.
        sys.exit(f"Python 3.11 or later is needed, and this is {sys.version.split()[0]}")
    sys.path[:0] = [str(HERE), str(generated()), str(packages())]


def _installed(name: str, requirements: Path) -> Path:
    def make(folder: Path) -> None:
        # Into a folder and not into an environment: that needs neither venv, which some systems leave out, nor a right
        # to write elsewhere.
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]
        _run([*pip, "--no-deps", "--only-binary=:all:", "--target", str(folder), "--requirement", str(requirements)])

    return _made(name, [requirements], make)


def _made(name: str, sources: Iterable[Path], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
        digest.update(b"\0")
    target = CACHE / f"{name}-{PYTHON}-{digest.hexdigest()[:16]}"
    if target.is_dir():
        return target
    CACHE.mkdir(exist_ok=True)
    # A lock for each name, because making generated code asks for the packages that generate it.
    with _locked(CACHE / f"{name}.lock"), tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as scratch:
        if not target.is_dir():
            folder = Path(scratch) / name
            folder.mkdir()
            make(folder)
            try:
                folder.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], more: dict[str, str] | None = None) -> None:
    # What it prints goes to standard error: an adapter's standard output belongs to its reports.
    done = subprocess.run(command, env={**os.environ, **(more or {})}, stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:3])} ended with {done.returncode}; Python 3.11 or later with pip is needed")


if __name__ == "__main__":
    use()
    if "--check" in sys.argv:
        stubs()
