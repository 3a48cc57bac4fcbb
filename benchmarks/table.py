"""The embedding table beside what the machine can do and beside torch (figures T1 to T4).

T1: vectors of 16 floats looked up by random ids, on one core. T2: lookup, then Adagrad in place. T3: bytes a row beside
the vector and its optimizer state. T4: how much of its rate a find keeps from load 0.5 to 0.9; the context has the
pauses of an insert while the table grows. The limits are bare loops over random memory of the same sizes, compiled here
(benchmarks/memory.cpp). Other dimensions, ids as they come in practice (Zipf's law: the logarithm of the rank is
uniform) and two threads stand in the context.

    python benchmarks/table.py [--json] [--quick] [--plot FILE]
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from feedmill import EmbeddingTable
from feedmill.domain.ids import UInt64s, feature_ids
from feedmill.domain.optimizers import Adagrad
from feedmill.domain.slots import Segment, Slot
from report import Figure, arguments, progress, report

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs" / "images" / "table.svg"
NOW = 1_651_161_600_000
BATCH = 65_536
DIMENSION = 16

Limits = ctypes.CDLL


def main() -> None:
    parser = arguments((__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--plot", type=Path, help=f"where to draw the growth; {PLOT.name} in docs/images unless --quick"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    ids = 1_000_000 if options.quick else 20_000_000
    asked = BATCH * (16 if options.quick else 64)
    limits = compiled_limits()
    growth_to = 2_000_000 if options.quick else 50_000_000
    dimensions = {
        d: measured(limits, d, ids, asked, options.seed) for d in ((16,) if options.quick else (8, 16, 32, 64))
    }
    main_one = dimensions[DIMENSION]
    progress("load of the index")
    by_load = rates_by_load(limits, ids, asked)
    slowest, fastest = min(by_load.values()), max(by_load.values())
    progress("pauses while growing")
    pauses = insert_pauses(ids)
    progress(f"growth to {growth_to} rows")
    growth = list(grown(growth_to, options.seed))
    if options.plot or not options.quick:
        draw(growth, by_load, options.plot or PLOT)
    report(
        {
            "T1": Figure(
                main_one["lookup"]["uniform"]["one thread"],
                "rows/s",
                limit=main_one["limit"]["read"]["one thread"],
                peers={"torch index_select": main_one["torch index_select"], "dict": main_one["dict"]},
            ),
            "T2": Figure(
                main_one["update"]["uniform"]["one thread"],
                "rows/s",
                limit=main_one["limit"]["write"]["one thread"],
                peers={"torch EmbeddingBag, sparse Adagrad": main_one["torch sparse Adagrad"]},
            ),
            "T3": Figure(main_one["overhead"], "bytes/row", peers={"Monolith, least": 18.0}, less_is_better=True),
            "T4": Figure(1 - slowest / fastest, "of the rate lost", less_is_better=True),
        },
        options=options,
        libraries=("numpy", "torch"),
        rows=ids,
        by_dimension=dimensions,
        find_rate_by_load=by_load,
        insert_pause_ms=pauses,
        growth=growth,
    )


def compiled_limits() -> Limits:
    """The bare loops, compiled as the table itself is."""
    folder = Path(tempfile.mkdtemp())
    library = folder / "memory.so"
    flags = ["-std=c++20", "-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-pthread"]
    compiler = os.environ.get("CXX") or shutil.which("c++") or "g++"
    subprocess.run(
        [compiler, *flags, f"-I{ROOT / 'native'}", Path(__file__).with_name("memory.cpp"), "-o", library], check=True
    )
    limits = ctypes.CDLL(str(library))
    size = ctypes.c_size_t
    for name in ("read_limit", "write_limit"):
        getattr(limits, name).argtypes = [size, size, size, size, ctypes.c_uint]
        getattr(limits, name).restype = ctypes.c_double
    limits.find_rate.argtypes = [size, ctypes.c_double, size, ctypes.POINTER(ctypes.c_double)]
    limits.find_rate.restype = ctypes.c_double
    return limits


def measured(limits: Limits, dimension: int, n: int, asked: int, seed: int) -> dict[str, Any]:
    """Everything at one dimension."""
    rng = np.random.default_rng(seed)
    ids = known_ids(n)
    table = new_table(dimension)
    progress(f"dimension {dimension}: {n} rows")
    started = time.perf_counter()
    resident = resident_bytes()
    fill(table, ids)
    stats = table.stats()
    found: dict[str, Any] = {
        "rows_put_a_second": n / (time.perf_counter() - started),
        "overhead": round(stats.overhead, 2),
        "overhead_resident": round((resident_bytes() - resident) / n - 8 * dimension, 2),
        "load": round(stats.load, 3),
        "huge_share": round(stats.huge_bytes / stats.bytes, 3),
        "lookup": {},
        "update": {},
    }
    orders = {"uniform": rng.integers(0, n, asked), "zipf": (n ** rng.random(asked)).astype(np.int64) % n}
    out = np.empty((BATCH, dimension), dtype=np.float32)
    gradients = rng.normal(size=(BATCH, dimension)).astype(np.float32)
    offsets = np.arange(BATCH + 1)
    shared = {"one thread": table, "two threads": table.on_threads(2)}
    for order, positions in orders.items():
        wanted = ids[positions]
        found["lookup"][order] = {
            threads: best_rate(wanted, lambda some, t=t: t.lookup(some, dimension, out=out))
            for threads, t in shared.items()
        }
        found["update"][order] = {
            threads: best_rate(wanted, lambda some, t=t: t.update(some, offsets, gradients, now=NOW))
            for threads, t in shared.items()
        }
    del table, shared
    gc.collect()
    progress(f"dimension {dimension}: limits and peers")
    index_bytes = int(n * 12.8 / 0.85)
    found["limit"] = {
        "read": {name: limits.read_limit(index_bytes, n, 4 * dimension, asked, t) for name, t in THREADS.items()},
        "write": {name: limits.write_limit(index_bytes, n, 8 * dimension, asked, t) for name, t in THREADS.items()},
    }
    uniform = orders["uniform"]
    found["torch index_select"] = torch_lookup(dimension, n, uniform)
    if dimension == DIMENSION:
        found["torch sparse Adagrad"] = torch_update(dimension, n, uniform[: 8 * BATCH])
        found["dict"] = dict_lookup(dimension, ids[: n // 20], uniform[: 4 * BATCH] % (n // 20))
    return found


THREADS = {"one thread": 1, "two threads": 2}


def known_ids(n: int) -> UInt64s:
    """uint64 [n]: feature ids of the keys 1 to n, which no two share."""
    mixed = (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(12)
    return feature_ids(1, mixed)


def new_table(dimension: int) -> EmbeddingTable:
    return EmbeddingTable([Slot(1, "benchmark", (Segment(dimension, Adagrad(), initial_scale=0.1),))])


def fill(table: EmbeddingTable, ids: UInt64s) -> None:
    dimension = table.dimensions[0]
    vectors = np.ones((BATCH, dimension), dtype=np.float32)
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        table.put(some, vectors[: len(some)], now=NOW)


def best_rate(ids: UInt64s, call: Callable[[UInt64s], object]) -> float:
    """Ids a second, over whole batches: the best of three rounds, as other programs only ever make it slower."""
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for start in range(0, len(ids), BATCH):
            call(ids[start : start + BATCH])
        best = max(best, len(ids) / (time.perf_counter() - started))
    return best


def torch_lookup(dimension: int, n: int, positions: npt.NDArray[np.int64]) -> float:
    """Rows a second that `index_select` copies when somebody else has done the hashing."""
    weights = torch.ones(n, dimension)
    out = torch.empty(BATCH, dimension)
    indices = torch.from_numpy(positions)
    return best_rate(indices, lambda some: torch.index_select(weights, 0, some, out=out))  # type: ignore[arg-type]


def torch_update(dimension: int, n: int, positions: npt.NDArray[np.int64]) -> float:
    """Rows a second that a sparse EmbeddingBag looks up and Adagrad updates."""
    torch.sparse.check_sparse_tensor_invariants.disable()
    bag = torch.nn.EmbeddingBag(n, dimension, mode="sum", sparse=True)
    optimizer = torch.optim.Adagrad(bag.parameters(), lr=0.05)
    offsets = torch.arange(BATCH)
    gradients = torch.randn(BATCH, dimension)

    def step(some: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        bag(some, offsets).backward(gradients)
        optimizer.step()

    return best_rate(torch.from_numpy(positions), step)  # type: ignore[arg-type]


def dict_lookup(dimension: int, ids: UInt64s, positions: npt.NDArray[np.int64]) -> float:
    """Rows a second of a dictionary of arrays, with a twentieth of the ids: one of all takes too much memory."""
    rows = dict(zip(ids.tolist(), np.ones((len(ids), dimension), dtype=np.float32), strict=True))

    def look_up(some: UInt64s) -> object:
        return np.stack([rows[key] for key in some.tolist()])

    return best_rate(ids[positions], look_up)


def rates_by_load(limits: Limits, ids: int, asked: int) -> dict[str, float]:
    """Finds a second by the load of the index that was reached."""
    rates = {}
    for load in (0.5, 0.6, 0.7, 0.8, 0.9):
        reached = ctypes.c_double()
        rate = max(limits.find_rate(ids, load, asked, reached) for _ in range(2))
        rates[f"{reached.value:.2f}"] = rate
    return rates


def insert_pauses(ids: int) -> dict[str, float]:
    """Milliseconds of a call that puts 100 new ids, while a table grows from nothing."""
    table = new_table(DIMENSION)
    every = known_ids(ids)
    vectors = np.ones((100, DIMENSION), dtype=np.float32)
    times = np.empty(ids // 100)
    for call in range(len(times)):
        started = time.perf_counter()
        table.put(every[call * 100 : call * 100 + 100], vectors, now=NOW)
        times[call] = time.perf_counter() - started
    return {
        "p50": round(1e3 * float(np.quantile(times, 0.5)), 4),
        "p99.9": round(1e3 * float(np.quantile(times, 0.999)), 4),
        "longest": round(1e3 * float(times.max()), 4),
    }


def grown(to: int, seed: int) -> Iterator[dict[str, float]]:
    """Rates and bytes at growing sizes."""
    rng = np.random.default_rng(seed)
    ids = known_ids(to)
    table = new_table(DIMENSION)
    out = np.empty((BATCH, DIMENSION), dtype=np.float32)
    at = 0
    for rows in np.unique(np.geomspace(min(1_000_000, to // 4), to, 12).astype(np.int64)).tolist():
        started = time.perf_counter()
        fill(table, ids[at:rows])
        put = (rows - at) / (time.perf_counter() - started)
        at = rows
        wanted = ids[rng.integers(0, rows, 16 * BATCH)]
        stats = table.stats()
        yield {
            "rows": rows,
            "lookups": best_rate(wanted, lambda some: table.lookup(some, DIMENSION, out=out)),
            "put": put,
            "overhead": round(stats.overhead, 2),
            "load": round(stats.load, 3),
        }


def resident_bytes() -> int:
    """The memory of this process that is backed by the machine's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def draw(growth: list[dict[str, float]], by_load: dict[str, float], path: Path) -> None:
    """Lookups, inserts and bytes by size, and finds by load."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
    )
    figure, (rates, sizes, loads) = pyplot.subplots(1, 3, figsize=(10.5, 3.2), layout="constrained")
    rows = [each["rows"] / 1e6 for each in growth]
    rates.plot(
        rows, [each["lookups"] / 1e6 for each in growth], color="#d9562f", marker="o", markersize=3, label="looked up"
    )
    rates.plot(
        rows, [each["put"] / 1e6 for each in growth], color="#5b6b8c", marker="o", markersize=3, label="put, new"
    )
    rates.set(xscale="log", ylim=(0, None), xlabel="million rows", title="Million rows a second, one core")
    rates.legend(frameon=False)
    sizes.plot(rows, [each["overhead"] for each in growth], color="#d9562f", marker="o", markersize=3)
    sizes.set(xscale="log", ylim=(0, None), xlabel="million rows", title="Bytes a row beside vector and state")
    loads.plot(
        [float(load) for load in by_load],
        [rate / 1e6 for rate in by_load.values()],
        color="#d9562f",
        marker="o",
        markersize=3,
    )
    loads.set(ylim=(0, None), xlabel="load of the index", title="Million finds a second, index alone")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
