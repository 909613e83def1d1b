"""Send objects to an archive (C-STORE), and fetch a study from one (DICOMweb); counts are checked afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvhkit.errors import DvhkitError, InputError

# An association offers at most 128 presentation contexts (PS3.8 section 9.3.2.2).
_CONTEXTS_MOST = 128
# pynetdicom's second thread comes by each millisecond.
_REACHED_MOST_S = 1.0
# An archive that is busy is asked again after 1 and 2 s; whoever started us waits for an answer.
_ATTEMPTS, _WAIT_MS = 3, 500


@dataclass(slots=True)
class Sent:
    """How many objects were acknowledged, and what became of the rest: by path, for names repeat in folders."""

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a TLS association rests on: the authority that vouches for the receiver, and our own certificate."""

    authority: Path
    certificate: Path | None = None
    key: Path | None = None

    def arguments(self, host: str) -> tuple[Any, str]:
        """Return what pynetdicom takes; raises `InputError` where a file cannot be used."""
        import ssl

        try:
            context = ssl.create_default_context(cafile=str(self.authority))
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                "a TLS certificate or key cannot be used.", path=self.authority, remedy="Give PEM files."
            ) from error
        return context, host


def send(
    paths: Iterable[Path], host: str, port: int, ae_title: str, *, calling: str = "DVHKIT", tls: Tls | None = None
) -> Sent:
    """Store files at a storage SCP, over TLS where `tls` says so.

    Raises
    ------
    InputError
        If nobody answers, or the caller is refused.
    """
    try:
        from pynetdicom import AE
    except ImportError as error:
        raise InputError("sending needs pynetdicom.", remedy="Install it with: pip install 'dvhkit[net]'.") from error
    found = Sent()
    for contexts, files in _batches(paths, found):
        entity = AE(ae_title=calling)
        for sop_class, syntax in contexts:
            entity.add_requested_context(sop_class, syntax)

        def associate(entity: Any = entity) -> Any:  # noqa: ANN401 -- pynetdicom's
            secure = tls.arguments(host) if tls is not None else None
            return entity.associate(host, port, ae_title=ae_title, max_pdu=0, tls_args=secure)

        association = associate()
        if not association.is_established:
            raise InputError(
                f"{host}:{port} does not take an association as {ae_title}.",
                remedy="Check host, port and AE titles, and whether the receiver allows ours.",
            )
        # To store an object twice does no harm.
        open_files = _send_each(association, files, found)
        if open_files:
            open_files = _send_each(associate(), open_files, found)
        found.failed.update((str(file), "no answer") for file in open_files)
    return found


def _batches(paths: Iterable[Path], found: Sent) -> Iterator[tuple[list[tuple[str, str]], list[Path]]]:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    contexts: dict[tuple[str, str], None] = {}
    files: list[Path] = []
    for path in paths:
        try:
            meta = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta
            own = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
        except (InvalidDicomError, OSError, AttributeError):
            found.failed[str(path)] = "no DICOM file"
            continue
        if own not in contexts and len(contexts) == _CONTEXTS_MOST:
            yield list(contexts), files
            contexts, files = {}, []
        contexts[own] = None
        files.append(path)
    if files:
        yield list(contexts), files


def _send_each(association: Any, files: list[Path], found: Sent) -> list[Path]:  # noqa: ANN401 -- pynetdicom's
    """Store files and release the association; return those that nobody answered, or that come behind such a one."""
    done = 0
    try:
        with _undisturbed(association):
            while done < len(files) and association.is_established and _send_one(association, files[done], found):
                done += 1
    finally:
        if done == len(files):
            association.release()
        elif association.is_established:
            association.abort()
    return files[done:]


@contextmanager
def _undisturbed(association: Any) -> Iterator[None]:  # noqa: ANN401 -- pynetdicom's
    """Keep pynetdicom's second thread from looking for messages, for it may take an answer that we wait for.

    It is paused for each message in any case, but let go between them (3.0.4).
    """
    own, gate = association._reactor_checkpoint, _Closed()
    association._reactor_checkpoint = gate
    gate.is_reached.wait(_REACHED_MOST_S)
    try:
        yield
    finally:
        association._reactor_checkpoint = own
        gate.open()


class _Closed(threading.Event):
    """A gate that opens for good only."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is open."""
        self.is_reached.set()
        return super().wait(timeout)

    def set(self) -> None:
        """Do nothing: it opens when we are done."""

    def open(self) -> None:
        """Let everybody through who waits."""
        super().set()


def _send_one(association: Any, file: Path, found: Sent) -> bool:  # noqa: ANN401 -- pynetdicom's
    """Store a file and note what became of it; return whether there was an answer."""
    try:
        status = association.send_c_store(file)
    except (ValueError, RuntimeError, AttributeError) as error:
        if association.is_established:
            found.failed[str(file)] = str(error).splitlines()[0][:200]
        return bool(association.is_established)
    if "Status" not in status:
        return False
    code = int(status.Status)
    if code == 0 or code & 0xF000 == 0xB000:
        found.sent += 1
    else:
        found.failed[str(file)] = f"status {code:04X}"
    return True


@dataclass(slots=True)
class Fetched:
    """UIDs of the objects that came, and of those that the archive says it has."""

    got: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        """Whether something came, and all that was stated."""
        return bool(self.got) and self.stated <= self.got


def fetch(url: str, study_uid: str, out: Path) -> Fetched:
    """Fetch a study over DICOMweb into `out`, each object as it comes.

    Raises
    ------
    InputError
        If the archive answers with an error, with another study, or with an object that is cut off; it says how many
        objects came before.
    OutputError
        If the disk refuses, with the same count.
    """
    try:
        from dicomweb_client.api import DICOMwebClient
    except ImportError as error:
        raise InputError(
            "fetching needs dicomweb-client.", remedy="Install it with: pip install 'dvhkit[net]'."
        ) from error
    from dvhkit.outputs.files import write_bytes_whole
    from dvhkit.services.spool import key_of

    key_of(study_uid)
    client = DICOMwebClient(url=url)
    client.set_http_retry_params(max_attempts=_ATTEMPTS, wait_exponential_multiplier=_WAIT_MS)
    found = Fetched()
    with _told(found):
        rows = client.search_for_instances(study_instance_uid=study_uid)
        found.stated = {str(row["00080018"]["Value"][0]) for row in rows}
    if not found.stated:
        return found
    with _told(found):
        # In the transfer syntax that it is kept in: archives decompress what they are not asked to leave alone.
        for dataset in client.iter_study(study_uid, media_types=(("application/dicom", "*"),)):
            _require_whole(dataset, study_uid)
            uid = str(dataset.SOPInstanceUID)
            write_bytes_whole(out / f"{key_of(uid)}.dcm", _file_bytes(dataset))
            found.got.add(uid)
    return found


@contextmanager
def _told(found: Fetched) -> Iterator[None]:
    """Turn whatever an archive or the disk does into one line with the count of what came."""
    try:
        yield
    except DvhkitError as error:
        raise type(error)(f"{error.message} {_came(found)}.", path=error.path, remedy=error.remedy) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a library makes of an answer that breaks its rules
        raise InputError(
            f"the archive does not give the study: {_why(error)}. {_came(found)}.", remedy="Check URL and study UID."
        ) from error


def _came(found: Fetched) -> str:
    return f"{len(found.got)} of {len(found.stated)} objects came before"


def _why(error: Exception) -> str:
    """Return what went wrong, without the address: it holds the study's UID."""
    import requests

    response = getattr(error, "response", None)
    if response is None:  # the client retries what may pass, and keeps the last answer
        response = getattr(getattr(error, "last_attempt", None), "value", None)
    status = getattr(response, "status_code", None)
    if status:
        return f"HTTP status {status}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return "the answer is cut off"
    if isinstance(error, requests.ConnectionError):
        return "nobody answers there"
    return f"the answer cannot be read ({type(error).__name__})"


def _require_whole(dataset: Any, study_uid: str) -> None:  # noqa: ANN401 -- pydicom's
    """Refuse an object of another study, and one that ends within its last element: pydicom reads it without a word."""
    if str(dataset.get("StudyInstanceUID", "")) != study_uid:
        raise InputError("the archive gives an object of another study.")
    last = dataset.get_item(max(dataset.keys()))
    length, value = getattr(last, "length", None), getattr(last, "value", None)
    if length not in (None, 0xFFFFFFFF) and len(value or b"") < length:
        raise InputError("the archive gives an object that is cut off.")


def _file_bytes(dataset: object) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)  # type: ignore[attr-defined]
    return buffer.getvalue()
