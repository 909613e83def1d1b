"""What `dvhkit inspect` tells of a folder: everything once, with reasons and remedies, and nobody's name."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps

import pytest
from made_sets import MadeSet, Uids, contour_item, ct_slices, dose, plan, polygon_at, structure_set

from dvhkit.jobs.anonymous_inventory import anonymous
from dvhkit.readers.case import inventory


def write_archive(folder, patients=2):
    """Folders of the same file names for each patient, whose names are those of patients."""
    for tag in range(1, patients + 1):
        made = MadeSet(folder / f"Doe John {tag}", Uids(tag=tag, frame=f"1.2.3.4.5.{tag}"))
        for number, data in enumerate(ct_slices(made.uids)):
            data.SeriesDescription = "CT of Doe"
            made.write(f"Doe_{number}.ima", data)
        made.write("rs", structure_set(made.uids))
        made.write("rp", plan(made.uids))
        made.write("rd Doe.dcm", dose(made.uids))
    return folder


def test_file_names_are_hidden_as_whole_words_and_by_the_folder_they_are_in(tmp_path):
    found = inventory(write_archive(tmp_path / "clinic"))
    hidden = anonymous(found)
    text = dumps(asdict(hidden))
    for tell_tale in ("Doe", "clinic", "1.2.3.4.5", Uids(tag=1).plan, "rd Doe.dcm", str(tmp_path)):
        assert tell_tale in dumps(asdict(found))
        assert tell_tale not in text
    for triple, shown in zip(found.triples, hidden.triples, strict=True):
        # 'rs' is a file, and a part of 'refers'; each folder has one.
        assert any("structure set rs: referenced by the plan" in link for link in triple.links)
        assert f"structure set {shown.rtstruct}: referenced by the plan" in shown.links
        assert f"plan {shown.rtplan}: referenced by dose {shown.rtdose[0]}" in shown.links
    assert len({shown.rtstruct for shown in hidden.triples}) == 2


def test_what_broken_files_hold_is_hidden_with_their_names(tmp_path):
    made = MadeSet(write_archive(tmp_path / "clinic", patients=1) / "Doe John 1")
    stored = (made.folder / "rp").read_bytes()
    (made.folder / "broken Doe").write_bytes(stored[: len(stored) // 2])
    slice_file = made.folder / "Doe_0.ima"
    slice_file.write_bytes(slice_file.read_bytes().replace(b"3.0 ", b"Doe "))
    found = inventory(tmp_path)
    assert {unreadable.path.rsplit("/", 1)[1] for unreadable in found.unreadable} == {"broken Doe", "Doe_0.ima"}
    assert any("'Doe" in unreadable.reason for unreadable in found.unreadable)
    assert all(unreadable.reason and unreadable.remedy for unreadable in found.unreadable)
    assert "Doe" not in dumps(asdict(anonymous(found)))


def test_a_broken_file_beside_a_case_is_told_with_reason_and_remedy(tmp_path):
    made = MadeSet(tmp_path).write_plain()
    stored = (tmp_path / "plan").read_bytes()
    (tmp_path / "half").write_bytes(stored[: len(stored) // 2])
    [triple] = inventory(made.folder).triples
    found = next(f for f in triple.findings if f.code == "unreadable-files")
    assert "half: ends inside" in found.message
    assert "export the file again" in found.message
    assert found.where == "half"


def test_reading_every_case_tells_what_is_inside(tmp_path):
    data = structure_set(Uids())
    data.StructureSetROISequence[0].ROIName = "Doe's tumour"
    data.StructureSetROISequence[1].ROIName = "Doe's tumour"
    made = MadeSet(tmp_path / "a").write_plain()
    made.write("structures", data)
    other = MadeSet(tmp_path / "b", Uids(tag=2, frame="1.2.3")).write_plain()
    broken = structure_set(other.uids)
    contour = contour_item(polygon_at(made_square(), 1.0))
    contour.ContourData = contour.ContourData[:-1]
    broken.ROIContourSequence[0].ContourSequence.append(contour)
    other.write("structures", broken)

    def of(read):
        counted = []
        found = inventory(tmp_path, read=read, case_progress=counted.append)
        return counted, found, {t.label: t for t in found.triples}

    counted, _, headers = of(read=False)
    assert counted == []
    assert [headers[label].problem for label in "ab"] == [None, None]
    counted, found, whole = of(read=True)
    assert counted == [1, 2]
    assert "equal-names" in {f.code for f in whole["a"].findings}
    assert "no (x, y, z) triplets" in whole["b"].problem
    text = dumps(asdict(anonymous(found)))
    assert "Doe" not in text
    assert "equal-names" in text


def made_square():
    """A square round the centre."""
    return [[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0]]


def test_many_files_are_made_anonymous_in_time_that_grows_with_their_number(tmp_path):
    import time

    made = MadeSet(tmp_path / "Doe John").write_plain()
    found = inventory(made.folder)
    series = found.patients[0].studies[0].series

    def spread(count):
        from dataclasses import replace

        objects = tuple(
            replace(series[0].objects[0], path=f"{found.root}/{n}/CT {n}.dcm", sop_instance_uid=f"1.2.3.4.5.{n}")
            for n in range(count)
        )
        study = replace(found.patients[0].studies[0], series=(replace(series[0], objects=objects),))
        return replace(found, patients=(replace(found.patients[0], studies=(study,)),))

    start = time.process_time()
    hidden = anonymous(spread(20_000))
    assert time.process_time() - start < 20
    assert hidden.patients[0].studies[0].series[0].objects[-1].path == "file 20000"


@pytest.mark.parametrize("name", ["a.b", "(x)", "x+y", "[1]", "a|b"])
def test_names_of_odd_letters_are_hidden_too(tmp_path, name):
    made = MadeSet(tmp_path).write_plain()
    (tmp_path / "plan").rename(tmp_path / f"{name} {name}")
    (tmp_path / "dose").rename(tmp_path / name)
    [triple] = anonymous(inventory(made.folder)).triples
    assert f"plan {triple.rtplan}: referenced by dose {triple.rtdose[0]}" in triple.links


def test_messages_tell_files_of_one_name_apart_and_anonymous_hides_their_folders(tmp_path):
    root = tmp_path / "clinic"
    for visit in ("Doe first", "Doe second"):
        made = MadeSet(root / visit)
        made.write("rp", plan(made.uids, fractions=5 if visit == "Doe first" else 6))
    made.write("rs", structure_set(made.uids))
    made.write("rd", dose(made.uids))
    found = inventory(root)
    told = [t.problem or "" for t in found.triples] + [f.message for f in found.findings]
    assert any("Doe first/rp and Doe second/rp" in text for text in told)
    text = dumps(asdict(anonymous(found)))
    assert "Doe" not in text
    assert "first/" not in text
