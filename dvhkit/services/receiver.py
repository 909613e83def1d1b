"""The storage SCP: bytes are kept as they come, and acknowledged when they lie whole on the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.services.spool import Kept, RefusedError, Spool, key_of
from dvhkit.services.storing import Offered, leave_reading_to_us, serve
from dvhkit.services.wire import file_head, study_uid

_log = logging.getLogger(__name__)

# PS3.4 table B.2-1.
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_TAKEN = (
    "CT", "EnhancedCT", "LegacyConvertedEnhancedCT", "MR", "EnhancedMR", "LegacyConvertedEnhancedMR",
    "PositronEmission",
    "EnhancedPET", "LegacyConvertedEnhancedPET", "RT", "CArmPhotonElectronRadiation", "TomotherapeuticRadiation",
    "RoboticArmRadiation", "SpatialRegistration", "DeformableSpatialRegistration", "SpatialFiducials", "Segmentation",
    "LabelMapSegmentation", "EncapsulatedPDF",
)  # fmt: skip
# A patient's CT in parallel parts, and several rooms at once.
_ASSOCIATIONS_MOST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where and whom to listen to; `allowed`: AE titles of callers, all where empty."""

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "DVHKIT"
    allowed: tuple[str, ...] = ()
    require_own_title: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None


class Receiver:
    """A running storage SCP.

    `arrived(study, kept)` is called from the threads of the associations, once an object is kept.
    """

    def __init__(self, spool: Spool, listening: Listening, arrived: Callable[[str, Kept], None]) -> None:
        self._spool, self._arrived = spool, arrived
        most = spool.limits.object_bytes
        self._server = _start(listening, lambda event: serve(event.assoc, self._keep, most))

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """End all associations and free the port."""
        self._server.shutdown()

    def _keep(self, offered: Offered) -> int:
        """Keep an object; return the status to answer with."""
        try:
            study = study_uid(offered.body, offered.transfer_syntax)
            head = file_head(
                sop_class=offered.sop_class,
                sop_instance=offered.sop_instance,
                transfer_syntax=offered.transfer_syntax,
                calling=offered.calling,
            )
            kept = self._spool.store(head, offered.body, study_uid=study, instance_uid=offered.sop_instance)
        except RefusedError as error:
            _log.warning("refused: %s", error.message)
            return _OUT_OF_RESOURCES if "disk" in error.message or "bytes" in error.message else _CANNOT_UNDERSTAND
        except OSError as error:
            _log.error("the disk does not take it: %s", error.strerror)
            return _OUT_OF_RESOURCES
        except Exception as error:  # noqa: BLE001 -- no object may end the receiver
            _log.warning("refused: %s", type(error).__name__)
            return _CANNOT_UNDERSTAND
        self._arrived(key_of(study), kept)
        return _SUCCESS


def _start(listening: Listening, established: Callable[[Any], None]) -> Any:  # noqa: ANN401 -- pynetdicom's server
    try:
        from pynetdicom import AE, evt
    except ImportError as error:
        raise InputError("listening needs pynetdicom.", remedy="Install it with: pip install 'dvhkit[net]'.") from error
    entity = AE(ae_title=listening.ae_title)
    # Large parts: a slice comes in one or two.
    entity.maximum_pdu_size = 0
    entity.maximum_associations = _ASSOCIATIONS_MOST
    entity.require_calling_aet = list(listening.allowed)
    entity.require_called_aet = listening.require_own_title
    try:
        return entity.start_server(
            (listening.host, listening.port),
            block=False,
            contexts=_contexts(),
            evt_handlers=[(evt.EVT_CONN_OPEN, leave_reading_to_us), (evt.EVT_ESTABLISHED, established)],
            ssl_context=_tls(listening),
        )
    except OSError as error:
        raise InputError(
            f"port {listening.port} cannot be listened on: {error.strerror or error}.", remedy="Choose another --port."
        ) from error


def _contexts() -> list[Any]:
    """Return what is taken, in any transfer syntax.

    pynetdicom copies all of it for each association, which takes longer than to receive ten slices; nobody changes it.
    """
    from pynetdicom import ALL_TRANSFER_SYNTAXES
    from pynetdicom.presentation import PresentationContext
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    class Shared(PresentationContext):
        def __deepcopy__(self, _memo: object) -> Shared:
            return self

    found = []
    for sop_class in (Verification, *_storage_classes()):
        context = Shared()
        context.abstract_syntax, context.transfer_syntax = sop_class, list(ALL_TRANSFER_SYNTAXES)
        found.append(context)
    return found


def _storage_classes() -> Sequence[str]:
    from pynetdicom.sop_class import _STORAGE_CLASSES

    return [uid for name, uid in _STORAGE_CLASSES.items() if name.startswith(_TAKEN)]


def _tls(listening: Listening) -> Any:  # noqa: ANN401 -- ssl.SSLContext or None
    if listening.tls_certificate is None:
        return None
    import ssl

    class Later(ssl.SSLContext):
        """Shakes hands in the association's own thread: who connects and says nothing keeps nobody else waiting."""

        def wrap_socket(self, *words: Any, **asked: Any) -> ssl.SSLSocket:  # noqa: ANN401 -- as the base has them
            return super().wrap_socket(*words, **{**asked, "do_handshake_on_connect": False})

    context = Later(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listening.tls_certificate, listening.tls_key)
        if listening.tls_ca is not None:
            context.load_verify_locations(listening.tls_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise InputError("the TLS certificate or key cannot be used.", path=listening.tls_certificate) from error
    return context
