"""What the rules on image, plan, prescription and clinical context share: they look at a property by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Built, Check
from dvhkit.units import Unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyCheck(Check):
    """Look at a property of image, dose, plan, prescription or clinical context, such as ``image.slice_spacing``.

    Each kind says what its properties are called (`PATTERN`), and the unit that they come in.
    """

    KEY = "property"
    PATTERN: ClassVar[str]
    name: str

    @classmethod
    def claims(cls, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(cls.PATTERN, value) is not None

    @classmethod
    def shape(cls) -> Any:
        from dvhkit.protocols.files.shapes import Name

        return Name

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        name = getattr(model, cls.KEY)
        return Built(check=cls(name=name), unit=cls.unit_of(name))

    @classmethod
    def unit_of(cls, name: str) -> Unit:
        """Return the unit of a property."""
        return Unit.NONE

    @property
    def quantity(self) -> str:
        """The property's name."""
        return self.name

    def data(self) -> dict[str, Any]:
        return {"property": self.name}
