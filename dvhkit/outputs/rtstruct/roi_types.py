"""Types of structures as RTSTRUCT stores them, and the colours that we give them."""

from __future__ import annotations

# Defined terms of RT ROI Interpreted Type (PS3.3 C.8.8.8), and ITV, which planning systems write beside them.
DEFINED_TYPES = frozenset((
    "EXTERNAL", "PTV", "CTV", "GTV", "ITV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN",
    "MARKER", "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY",
    "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT", "DEVICE",
))  # fmt: skip
_COLOURS: dict[str, tuple[int, int, int]] = {
    "GTV": (255, 128, 0),
    "CTV": (255, 128, 192),
    "ITV": (192, 96, 255),
    "PTV": (255, 0, 0),
    "AVOIDANCE": (0, 160, 255),
    "ORGAN": (0, 192, 96),
    "EXTERNAL": (0, 255, 0),
}
_OTHER_COLOUR = (255, 224, 0)


def colour_of(rt_roi_type: str) -> tuple[int, int, int]:
    """Return the colour in which a structure of a type is stored."""
    return _COLOURS.get(rt_roi_type, _OTHER_COLOUR)
