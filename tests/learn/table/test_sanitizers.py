"""The native table under the compiler's sanitizers: readers, a writer, expiry and snapshots at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

STRESS = ("-std=c++20", "-O1", "-g", "-pthread", "-fno-sanitize-recover=all")


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_many_threads_on_one_table_break_nothing_and_see_no_row_but_a_whole_one(
    sanitizer: str, root: Path, tmp_path: Path
) -> None:
    _stress(sanitizer, 3, root, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_many_threads_for_long(sanitizer: str, root: Path, tmp_path: Path) -> None:
    _stress(sanitizer, 120, root, tmp_path)


def _stress(sanitizer: str, seconds: int, root: Path, folder: Path) -> None:
    compiler = os.environ.get("CXX") or shutil.which("c++") or "g++"
    program = folder / "stress"
    # GCC's thread sanitizer knows no fences, and says so; the table's data are atomic with and without them.
    warnings = ("-Wno-tsan",) if sanitizer == "thread" else ()
    source = root / "tests" / "native" / "table_stress.cpp"
    built = subprocess.run(
        [compiler, *STRESS, f"-fsanitize={sanitizer}", *warnings, f"-I{root / 'native'}", source, "-o", program],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip(f"{compiler} has no -fsanitize={sanitizer} here")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([program, str(seconds)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    counted = json.loads(ran.stdout)
    assert all(counted[what] > 0 for what in ("updates", "lookups", "snapshots", "touched", "rows"))
