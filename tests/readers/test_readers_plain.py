"""What is walked is what pydicom reads of the same bytes: every element, or the walk steps aside."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from made_sets import (
    MadeSet,
    Uids,
    contour_item,
    ct_slices,
    dose,
    encode,
    plan,
    polygon_at,
    registration,
    structure_set,
)
from mutations import mutants
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dvhkit.errors import DicomReadError
from dvhkit.readers.files import plain
from dvhkit.readers.files.dicom_file import PARSE_ERRORS, outermost, quiet_pydicom
from dvhkit.readers.files.elements import items, text
from dvhkit.readers.files.plain import NotPlain, PlainItem, TooShort, walk
from dvhkit.readers.files.tags import ELEMENTS
from dvhkit.readers.rtstruct import read_structures

# Whether the elements are explicit; None where there is nothing to walk. Compressed files are explicit.
EXPLICIT = {
    str(ImplicitVRLittleEndian): False,
    str(ExplicitVRBigEndian): None,
    str(DeflatedExplicitVRLittleEndian): None,
}
MEANS_A_SEQUENCE = {tag for tag, vr in ELEMENTS.values() if vr == "SQ"}
PIXELS, CONTOURS = 0x7FE00010, 0x30060039


def with_open_lengths(data):
    """The same object, its sequences and items without stated lengths."""
    for element in data:
        if element.VR == "SQ":
            element.is_undefined_length = True
            element.value.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                with_open_lengths(item)
    return data


@pytest.fixture(scope="module")
def originals(demo_case_dir):
    """Objects of each kind in both encodings, with and without lengths, and some of the shipped plan."""
    uids = Uids()
    made = {
        "ct": lambda: ct_slices(uids)[0],
        "structures": lambda: structure_set(uids),
        "plan": lambda: plan(uids),
        "dose": lambda: dose(uids, summation="BEAM", beam=1),
        "registration": lambda: registration(uids, source="1.2.3", target="1.2.4", matrix=np.eye(4)),
    }
    files = {}
    for name, make in made.items():
        for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
            files[f"{name} {syntax.name}"] = encode(make(), syntax=syntax)
            files[f"{name} {syntax.name} open"] = encode(with_open_lengths(make()), syntax=syntax)
    shipped = sorted(path for path in demo_case_dir.rglob("*") if path.is_file())
    small = [path for path in shipped if path.stat().st_size < 300_000]
    for path in (*small[:1], *(path for path in small if not path.name.startswith("CT"))):
        files[path.name] = path.read_bytes()
    return files


def assert_same(item, dataset):
    """Every element of a walked item is the one that pydicom read, and there are no others; how many they are."""
    assert item.tags() == sorted(map(int, dataset._dict))
    count = 0
    for tag in item.tags():
        element = dataset.get_item(tag)
        stored = item.get_item(tag)
        if isinstance(element, RawDataElement) and stored is not None:
            assert stored.value == (element.value or b"")
            assert stored.VR == element.VR
        count += 1
        if stored is None or tag in MEANS_A_SEQUENCE:
            count += assert_same_items(item, dataset, tag)
    return count


def assert_same_items(item, dataset, tag):
    """The items of a sequence are the same; what pydicom cannot read is no sequence here either."""
    try:
        with quiet_pydicom():
            theirs = dataset[tag].value
    except PARSE_ERRORS:
        with quiet_pydicom(), pytest.raises(PARSE_ERRORS):
            item.items(tag)
        return 0
    with quiet_pydicom():
        walked = item.items(tag)
    if walked is None:
        assert not isinstance(theirs, Sequence)
        return 0
    theirs = theirs or ()
    assert len(walked) == len(theirs)
    # Items that the walk has left to pydicom are pydicom's already.
    return sum(assert_same(w, t) for w, t in zip(walked, theirs, strict=True) if isinstance(w, PlainItem))


def held_to_pydicom(data, *, stop=plain.NO_STOP):
    """Number of elements that the walk found and pydicom confirmed; None where the walk stepped aside."""
    try:
        with quiet_pydicom():
            start, syntax = outermost(data)
    except (DicomReadError, *PARSE_ERRORS):
        return None
    explicit = EXPLICIT.get(syntax.decode("latin-1"), True)
    if explicit is None:
        return None
    try:
        item, at, reached = walk(data, start, explicit=explicit, stop=stop)
    except NotPlain:
        return None
    stream = BytesIO(data)
    stream.seek(start)
    with quiet_pydicom():
        theirs = read_dataset(stream, not explicit, True, stop_when=lambda tag, _vr, _length: tag >= stop)
        assert stream.tell() == at
        assert reached == (at < len(data))
        return assert_same(item, theirs)


@pytest.mark.parametrize("stop", [plain.NO_STOP, PIXELS, CONTOURS], ids=["whole", "to the pixels", "to the contours"])
def test_each_object_is_walked_to_the_last_element(originals, stop):
    for name, data in originals.items():
        # The shipped image is compressed: its pixels have no length.
        walkable = stop != plain.NO_STOP or not name.startswith("CT")
        assert bool(held_to_pydicom(data, stop=stop)) == walkable, name


def test_damaged_objects_are_read_as_pydicom_reads_them_or_left_to_it(originals):
    small = {name: data for name, data in originals.items() if len(data) < 20_000}
    found = [held_to_pydicom(data) for _, data in mutants(small, 4000, seed=29)]
    walked = [count for count in found if count]
    # Neither outcome may be the only one, or the test would prove nothing.
    assert len(walked) > 500
    assert found.count(None) > 500


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_open_and_stated_lengths_hold_the_same_structures(tmp_path, syntax, bare):
    read = []
    for number, data in enumerate((structure_set(Uids()), with_open_lengths(structure_set(Uids())))):
        path = tmp_path / str(number)
        path.write_bytes(encode(data, syntax=syntax, bare=bare))
        read.append(read_structures(path)[0])
    for one, other in zip(*read, strict=True):
        assert one.name == other.name
        assert [c.points_mm.tolist() for c in one.contours] == [c.points_mm.tolist() for c in other.contours]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_piece_of_a_file_is_told_from_a_file_that_is_not_plain(syntax):
    data = encode(structure_set(Uids()), syntax=syntax)
    start, _ = outermost(data)
    explicit = EXPLICIT.get(str(syntax), True)
    whole, end, _ = walk(data, start, explicit=explicit)
    ends = set()
    for size in range(start, len(data)):
        try:
            part, at, reached = walk(data[:size], start, explicit=explicit)
        except TooShort:
            continue
        # A piece may end between two elements of the outermost level, nowhere else.
        assert at == size
        assert not reached
        assert set(part.tags()) < set(whole.tags())
        ends.add(len(part.tags()))
    assert ends == set(range(len(whole.tags())))
    assert end == len(data)


def explicit_element(tag, vr, value):
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr
    if vr in (b"SQ", b"UN", b"OW"):
        return head + b"\0\0" + len(value).to_bytes(4, "little") + value
    return head + len(value).to_bytes(2, "little") + value


IMAGE_TYPE = explicit_element(0x00080008, b"CS", b"AXIAL ")
MODALITY = explicit_element(0x00080060, b"CS", b"CT")


@pytest.mark.parametrize(
    "stored",
    [
        MODALITY + IMAGE_TYPE,
        MODALITY + MODALITY,
        IMAGE_TYPE + explicit_element(0x00080060, b"ZZ", b"CT"),
        IMAGE_TYPE + b"\x08\x00\x60\x00OW\x01\x00\x02\x00\x00\x00CT",
        IMAGE_TYPE + b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\xff",
        IMAGE_TYPE + b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
        IMAGE_TYPE + b"\x08\x00\x60\x00\x02\x00\x00\x00CT",
        explicit_element(0x00080005, b"CS", b"ISO_IR 100\\" * 200) + MODALITY,
    ],
    ids=["falling", "twice", "unknown VR", "used reserve", "open pixels", "stray mark", "implicit", "charsets"],
)
def test_what_is_not_plain_is_left_to_pydicom(stored):
    with pytest.raises(NotPlain):
        walk(stored, 0, explicit=True)


def test_implicit_encoding_is_not_taken_for_granted():
    with pytest.raises(NotPlain):
        walk(IMAGE_TYPE + MODALITY, 0, explicit=False)


def test_nesting_beyond_any_object_ends_the_walk():
    opened = b"\x06\x30\x39\x00SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(NotPlain):
        walk(opened * 5000, 0, explicit=True)


def test_a_sequence_inside_that_is_not_plain_is_read_by_pydicom_alone():
    # An item whose elements are in the wrong order; the file around it is plain.
    item = explicit_element(0x30060026, b"LO", b"PTV ") + explicit_element(0x30060022, b"IS", b"7 ")
    item = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
    stored = MODALITY + explicit_element(0x30060020, b"SQ", item)
    found, _, _ = walk(stored, 0, explicit=True)
    (roi,) = items(found, "StructureSetROISequence")
    assert not isinstance(roi, PlainItem)
    assert (text(roi, "ROIName"), text(roi, "ROINumber")) == ("PTV", "7")


def test_items_are_counted_in_every_kind_of_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "MAX_ITEMS", 1000)
    data = structure_set(Uids())
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    data.ROIContourSequence[0].ContourSequence = Sequence([contour_item(polygon_at(square, 1.0)) for _ in range(1200)])
    for number, syntax in enumerate((ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)):
        for made in (data, with_open_lengths(data)):
            path = tmp_path / f"many{number}"
            path.write_bytes(encode(made, syntax=syntax))
            with pytest.raises(DicomReadError, match="more than 1000 sequence items"):
                read_structures(path)


def test_the_table_of_elements_is_the_standard():
    for keyword, (tag, vr) in ELEMENTS.items():
        assert tag_for_keyword(keyword) == tag
        assert keyword_for_tag(tag) == keyword
        assert dictionary_VR(tag)[:2] == vr


def test_an_ordinary_case_needs_no_pydicom(tmp_path):
    """Importing it takes longer than reading the case."""
    MadeSet(tmp_path).write_plain()
    code = "import sys; from dvhkit import read_case; read_case(sys.argv[1]); print('pydicom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.real
def test_real_files_are_walked_as_pydicom_reads_them(real_data):
    whole = header = total = 0
    for path in sorted(p for p in real_data.rglob("*") if p.is_file() and p.stat().st_size < 30e6):
        data = path.read_bytes()
        if data[128:132] != b"DICM":
            continue
        total += 1
        whole += bool(held_to_pydicom(data))
        header += bool(held_to_pydicom(data, stop=PIXELS))
    assert total > 280
    assert min(whole, header) > 0.9 * total
