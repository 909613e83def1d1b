"""What `dvhkit inspect` shows in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from dvhkit.outputs.tables import findings_panels
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.inventory import Inventory, PatientRecord, SeriesRecord, TripleRecord

# More objects than this of one series are counted, not listed.
_MOST_LISTED = 6


def inventory_view(found: Inventory) -> Iterator[RenderableType]:
    """Yield what is there, how it links, what is odd, and what cannot be read."""
    counted = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found.counts.items() if n)
    yield Text(f"{clean(found.root)}: {counted or 'nothing'}", style="bold")
    for patient in found.patients:
        yield _patient_tree(patient)
    for triple in found.triples:
        yield _triple_tree(triple)
        yield from findings_panels(triple.findings)
    yield from findings_panels(found.findings)
    for file in found.unreadable:
        yield Text(f"unreadable: {clean(file.path)}: {clean(file.reason)} {clean(file.remedy)}", style="red")


def _patient_tree(patient: PatientRecord) -> Tree:
    tree = Tree(Text(f"Patient {patient.number}"))
    for study in patient.studies:
        branch = tree.add(Text(f"study …{clean(study.study_instance_uid)[-12:]}", style="dim"))
        for series in study.series:
            _add_series(branch, series)
    return tree


def _add_series(tree: Tree, series: SeriesRecord) -> None:
    label = Text(f"{clean(series.modality) or '?'}  {series.n_objects} ")
    label.append("object" if series.n_objects == 1 else "objects")
    if series.description:
        label.append(f"  {clean(series.description)}", style="dim")
    branch = tree.add(label)
    if series.n_objects > _MOST_LISTED and _is_uniform(series):
        return
    for item in series.objects[: 10 * _MOST_LISTED]:
        branch.add(Text(f"{clean(item.path)}  {clean(item.description)}", style="dim"))


def _is_uniform(series: SeriesRecord) -> bool:
    return len(Counter(item.role for item in series.objects)) == 1


def _triple_tree(triple: TripleRecord) -> Tree:
    usable = triple.problem is None
    tree = Tree(Text(f"Case {clean(triple.label)}", style="bold" if usable else "bold red"))
    tree.add(Text(f"structures  {clean(triple.rtstruct or 'none')}"))
    for dose in triple.rtdose or ("none",):
        tree.add(Text(f"dose        {clean(dose)}"))
    tree.add(Text(f"plan        {clean(triple.rtplan or 'none')}"))
    tree.add(Text(f"image       {triple.n_image_files} files" if triple.n_image_files else "image       none"))
    for sentence in triple.links:
        tree.add(Text(clean(sentence), style="dim"))
    if triple.problem:
        tree.add(Text(f"cannot be used: {clean(triple.problem)}", style="red"))
    return tree
