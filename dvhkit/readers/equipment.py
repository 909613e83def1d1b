"""Which system wrote an object: manufacturer and model, and software versions."""

from __future__ import annotations

from dvhkit.readers.files.elements import DataSet, charset_of, name_text, text


def planning_system(data: DataSet) -> tuple[str, str]:
    """Return the system that wrote an object and its versions, as stated; empty where nothing is."""
    charset = charset_of(data)
    maker, model = (name_text(data, keyword, charset) for keyword in ("Manufacturer", "ManufacturerModelName"))
    named = model if model.casefold().startswith(maker.casefold()) else f"{maker} {model}"
    return named.strip(), ", ".join(part for part in text(data, "SoftwareVersions").split("\\") if part)
