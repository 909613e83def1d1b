"""The strict YAML reader by its older name; it lies below all rooms, because target rules are data too."""

from dvhkit.yaml_text import Place, Plain, YamlDocument, read_yaml

__all__ = ["Place", "Plain", "YamlDocument", "read_yaml"]
