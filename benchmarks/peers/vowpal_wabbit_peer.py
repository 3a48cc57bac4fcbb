"""Logistic regression and factorisation machine of Vowpal Wabbit, in one pass over rows in their order.

The question holds the features of all rows (`ids`, `offsets`, `dense`, as of `feedmill.domain.batches.Features`), their
`labels` (bool [n]), `bounds` (where the rows to choose settings on begin, and the rows to judge) and `requests` (JSON:
for each model its rates and how often it is fitted). The answer holds of each model `MODEL.predicted` [judged],
`MODEL.chosen` (JSON), and the seconds of each fit and of predicting after it, `MODEL.fit` and `MODEL.predict` [fits].

Vowpal Wabbit learns from a binary cache of its own, which a thread beside reads; making that is not timed.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from choosing import best_of
from vowpalwabbit import Workspace

FACTORS = 8
SCALES = (0.1, 0.3)
"""Of ids that are in pairs: vectors start between 0 and 1, and hundreds of pairs sum up to logits far off."""
# A name is one byte, and in pairs those above 127 corrupt the memory of Vowpal Wabbit.
NAMES = [byte for byte in range(33, 127) if byte not in b":|\\"]


class Setting(NamedTuple):
    arguments: list[str]
    scale: float | None = None
    """None: there are no pairs."""


class Rows:
    """All rows, as caches, part by part: those to learn first, those to choose on, those to judge."""

    def __init__(self, question: dict[str, np.ndarray], folder: Path, scale: float | None) -> None:
        self.folder = folder
        self.slots = (len(question["offsets"]) - 1) // len(question["labels"])
        self.nothing = folder / "nothing.txt"
        self.nothing.touch()
        text = folder / "rows.txt"
        lines = lines_of(question, self.slots, scale)
        bounds = [0, *question["bounds"].tolist(), len(question["labels"])]
        for part, (start, end) in enumerate(itertools.pairwise(bounds)):
            with text.open("wb") as file:
                file.writelines(itertools.islice(lines, end - start))
            run(["--noop", "--data", str(text), "--cache_file", str(self.cache(part))])

    def cache(self, part: int) -> Path:
        return self.folder / f"{part}.cache"

    def fit(self, arguments: Sequence[str], parts: Sequence[int]) -> float:
        """Learn parts, keep the model, and say the seconds."""
        return run([
            "--loss_function", "logistic", "--final_regressor", str(self.folder / "model"), *arguments,
            *self.data(parts),
        ])  # fmt: skip

    def predict(self, part: int) -> tuple[np.ndarray, float]:
        """The probabilities of a part by the model that was kept, and the seconds."""
        logits = self.folder / "logits.txt"
        took = run([
            "--testonly", "--initial_regressor", str(self.folder / "model"), "--raw_predictions", str(logits),
            *self.data([part]),
        ])  # fmt: skip
        values = np.array([float(line.split()[0]) for line in logits.read_text().splitlines()])
        return 1 / (1 + np.exp(-values)), took

    def data(self, parts: Sequence[int]) -> list[str]:
        # It reads the caches of data that are named.
        caches = [("--cache_file", str(self.cache(part))) for part in parts]
        return ["--data", str(self.nothing), *itertools.chain.from_iterable(caches)]


def lines_of(question: dict[str, np.ndarray], slots: int, scale: float | None) -> Iterator[bytes]:
    """The rows as text: a namespace for each slot, its bag as the mean; where there are pairs another for each slot,
    at their scale; and one for the dense columns."""
    ids, offsets = (question["ids"] & np.uint64(0x7FFFFFFF)).tolist(), question["offsets"].tolist()
    longest = int(np.diff(question["offsets"]).max())
    shares = [b""] + [b":%.6g" % (1 / length) for length in range(1, longest + 1)]
    *of_slots, of_columns = [b" |%c" % name for name in NAMES[: 2 * slots + 1]]
    scaled = [b"" if scale is None else b"%b:%g" % (name, scale) for name in of_slots[slots:]]
    columns = [b" %d" % column for column in range(question["dense"].shape[1])]
    for row, (label, dense) in enumerate(zip(question["labels"].tolist(), question["dense"].tolist(), strict=True)):
        parts = [b"1" if label else b"-1"]
        for slot, (start, end) in enumerate(itertools.pairwise(offsets[row * slots : (row + 1) * slots + 1])):
            if end > start:
                bag = b"".join(b" %d%b" % (one, shares[end - start]) for one in ids[start:end])
                parts += [of_slots[slot], bag]
                if scale is not None:
                    parts += [scaled[slot], bag]
        values = (b"%b:%.6g" % (column, value) for column, value in zip(columns, dense, strict=True))
        yield b"".join([*parts, of_columns, *values, b"\n"])


def run(arguments: Sequence[str]) -> float:
    """The seconds that Vowpal Wabbit takes for what it is to do."""
    started = time.perf_counter()
    workspace = Workspace(arg_list=["--quiet", "--no_stdin", "--bit_precision", "22", *arguments])
    took = time.perf_counter() - started
    workspace.finish()
    return took


def settings_of(model: str, rates: Sequence[float], slots: int) -> list[Setting]:
    """What there is to choose from."""
    if model == "logistic-regression":
        plain = [Setting(["--learning_rate", str(rate)]) for rate in rates]
        return plain + [Setting(["--ftrl", "--ftrl_alpha", str(rate)]) for rate in rates]
    names = [f"\\x{name:02x}" for name in NAMES[slots : 2 * slots]]
    pairs = [("--lrq", f"{first}{second}{FACTORS}") for first, second in itertools.combinations(names, 2)]
    return [
        Setting(["--ftrl", "--ftrl_alpha", str(rate), *itertools.chain.from_iterable(pairs)], scale)
        for scale in SCALES
        for rate in rates
    ]


def main() -> None:
    with np.load(sys.argv[1]) as file:
        question = dict(file)
    first, judged = question["bounds"].tolist()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        rows: dict[float | None, Rows] = {}
        for scale in (None, *SCALES):
            own = Path(folder) / str(scale)
            own.mkdir()
            rows[scale] = Rows(question, own, scale)

        def predicted(setting: Setting) -> np.ndarray:
            rows[setting.scale].fit(setting.arguments, [0])
            return rows[setting.scale].predict(1)[0]

        for model, request in json.loads(str(question["requests"])).items():
            settings = settings_of(model, request["rates"], rows[None].slots)
            chosen = best_of(settings, predicted, question["labels"][first:judged])
            fit, predict = [], []
            for _ in range(request["fits"]):
                fit.append(rows[chosen.scale].fit(chosen.arguments, [0, 1]))
                probabilities, took = rows[chosen.scale].predict(2)
                predict.append(took)
            said = itertools.takewhile(lambda argument: argument != "--lrq", chosen.arguments)
            found |= {
                f"{model}.predicted": probabilities, f"{model}.fit": np.array(fit),
                f"{model}.predict": np.array(predict),
                f"{model}.chosen": np.array(json.dumps({"arguments": [*said], "scale": chosen.scale})),
            }  # fmt: skip
    np.savez(sys.argv[2], **found)


if __name__ == "__main__":
    main()
