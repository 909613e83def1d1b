"""Run every benchmark once, write benchmarks/results.md and print it.

Peers are run side by side with the engine on the same case in the same run; one that is not at hand is named with the
reason.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import bench_archive
import bench_command
import bench_margins
import bench_readers
import clinical_case
import mask_peers
import numpy as np
from mask_peers import Metrics, Peer
from timing import HERE, command, table

METRICS = ("Volume", "Mean", "D95%", "D2%")

INTRODUCTION = """# Results

Written by `make bench`: one run, everything in it one after the other on the same case. Seconds depend on the machine
and on what else it does (load average {load[0]:.1f} when the run began, {load[1]:.1f} when it ended, on {threads}
processors; what is above the run's own 1 to 2 was other work, and two threads then gain little). The ratios carry over
better. Each figure is the best of several runs where it is short.

The case: 30 structures from a lens to the body, {contours} contours, {points} points; dose of 200 x 150 x 160 voxels of
2.5 mm; CT of 512 x 512 x 200 voxels of 1 x 1 x 2 mm."""


def dicompyler_peer(python: Path | None, folder: Path) -> Peer:
    name = "dicompyler-core 0.5.6 on pydicom 2"
    if python is None or not python.is_file():
        return Peer(name=name, skipped="no environment for it; `make bench` makes one where packages can be had")
    try:
        found = json.loads(command(python, HERE / "peer_dicompyler.py", folder))
    except (RuntimeError, ValueError) as error:
        return Peer(name=name, skipped=str(error).splitlines()[-1])
    return Peer(name=name, dvhs_s=found["dvh_s"], metrics=found["metrics"])


def attempt(peer: str, run: object) -> Peer:
    """Run a peer; what goes wrong in it is told, and no reason to lose the rest."""
    try:
        return run()  # type: ignore[operator, no-any-return]
    except Exception as error:  # noqa: BLE001 -- another program's fault
        return Peer(name=peer, skipped=f"{type(error).__name__}: {error}")


def errors_row(name: str, metrics: Metrics, truths: list[dict[str, float]]) -> list[object]:
    """Return mean and greatest error in percent over the organs, by metric."""
    cells = []
    for metric in METRICS:
        off = [abs(100 * (metrics[f"Organ{n}"][metric] / truth[metric] - 1)) for n, truth in enumerate(truths, 2)]
        cells.append(f"{np.mean(off):.3f} ({max(off):.1f})")
    return [name, *cells]


def engine_section(ours: dict, peers: list[Peer]) -> str:
    seconds, floor_s = ours["seconds"], ours["floor_s"]
    warm = seconds["all DVHs and metrics, reference, 2 threads, warm"]
    rows = [["one bare pass over the occupied dose cells (floor)", floor_s, floor_s / warm, 1.0]]
    rows += [[name, span, span / warm, span / floor_s] for name, span in seconds.items()]
    for peer in peers:
        if peer.skipped:
            rows.append([peer.name, f"skipped: {peer.skipped}", "", ""])
        if peer.masks_s is not None:
            rows.append([f"{peer.name}: masks alone", peer.masks_s, peer.masks_s / warm, peer.masks_s / floor_s])
        if peer.dvhs_s is not None:
            rows.append([f"{peer.name}: all DVHs", peer.dvhs_s, peer.dvhs_s / warm, peer.dvhs_s / floor_s])
    agree = "agree to the last bit" if ours["threads_agree"] else "DO NOT AGREE"
    return "\n\n".join([
        "## Masks and DVHs",
        table(["what", "seconds", "times dvhkit warm", "times floor"], rows),
        f"Results with 1, 2 and 8 threads {agree}. Peak memory after the first round of all DVHs: "
        f"{ours['memory_gb']:.2f} GB.",
    ])  # fmt: skip


def truth_section(ours: dict, peers: list[Peer]) -> str:
    truths = [organ.truth() for organ in clinical_case.organs()]
    rows = [errors_row(f"dvhkit, {name}", metrics, truths) for name, metrics in ours["metrics"].items()]
    rows += [errors_row(peer.name, peer.metrics, truths) for peer in peers if peer.metrics]
    return "\n\n".join([
        "## Who is right",
        "Mean (greatest) absolute error in percent over the 29 organs, against the ideal shapes in the ideal dose by "
        "quadrature. The drawn polygons of 100 to 200 corners lie within the ideal outlines, which costs everybody "
        "some 0.1 % of volume.",
        table(["program", *METRICS], rows),
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="the Python of the environment with dicompyler-core")
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    args = parser.parse_args()
    load_before = os.getloadavg()[0]
    structures, dose = clinical_case.structures(), clinical_case.dose()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        print("writing the case ...", file=sys.stderr)
        clinical_case.write(folder)
        print("whole commands ...", file=sys.stderr)
        commands, memory_gb = bench_command.report(folder)
        print("engine ...", file=sys.stderr)
        ours = json.loads(command(sys.executable, HERE / "bench_engine.py"))
        print("peers, up to a minute ...", file=sys.stderr)
        peers = [
            dicompyler_peer(args.peers, folder),
            attempt("plastimatch", lambda: mask_peers.plastimatch_peer(folder)),
            attempt("rt-utils", lambda: mask_peers.rt_utils_peer(folder, [s.name for s in structures], dose)),
            attempt("scikit-image", lambda: mask_peers.skimage_peer(structures, dose)),
        ]
    print("margins and readers ...", file=sys.stderr)
    margins, readers = bench_margins.report(), bench_readers.report()
    print("archives ...", file=sys.stderr)
    archives = bench_archive.report((50, 100))
    contours = [c for s in structures for c in s.contours]
    text = "\n\n".join([
        INTRODUCTION.format(
            contours=f"{len(contours):,}",
            points=f"{sum(len(c.points_mm) for c in contours):,}",
            threads=os.cpu_count(),
            load=(load_before, os.getloadavg()[0]),
        ),
        engine_section(ours, peers),
        truth_section(ours, peers),
        f"## The whole command\n\n{commands}\n\nPeak memory of the command: {memory_gb:.2f} GB.",
        f"## Margins\n\n{margins}",
        f"## Readers\n\n{readers}",
        f"## Archives\n\nSmall cases: two balls, three rules.\n\n{archives}",
    ])  # fmt: skip
    args.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if ours["threads_agree"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
