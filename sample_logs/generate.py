"""Makes the sample logs: `python -m sample_logs.generate [--out FOLDER] [--seed N]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from random import Random

from sample_logs.bpmn import bpmn
from sample_logs.files import catalogue_bytes
from sample_logs.processes import (
    employee_onboarding,
    insurance_claims,
    nightly_pipeline,
    order_to_cash,
    payment_saga,
)
from sample_logs.sample import Sample

SEED = 2026
PROCESSES: dict[str, Callable[[Random], Sample]] = {
    "order-to-cash": order_to_cash.build,
    "insurance-claims": insurance_claims.build,
    "employee-onboarding": employee_onboarding.build,
    "nightly-pipeline": nightly_pipeline.build,
    "payment-saga": payment_saga.build,
}


def generate(folder: Path, *, seed: int = SEED) -> list[Path]:
    """Write all sample logs, their workflows and the catalogue into `folder`.

    Returns the files in the order they were written; the same seed gives the same bytes. A
    process draws from its own random numbers, so changing one leaves the others as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = [build(Random(f"{seed}:{process}")) for process, build in PROCESSES.items()]
    contents: dict[str, bytes] = {}
    for sample in samples:
        contents[sample.file] = sample.content
        contents |= {file: bpmn(model.workflow) for file, model in sample.model_files()}
    contents["catalogue.toml"] = catalogue_bytes(samples)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return [folder / file for file in contents]


def main() -> None:
    """Generate into the folder given on the command line."""
    parser = argparse.ArgumentParser(prog="python -m sample_logs.generate", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    for path in generate(options.out, seed=options.seed):
        print(f"{path.stat().st_size:>9,}  {path}")


if __name__ == "__main__":
    main()
