"""What lies between drawn planes: levels, links, sections."""
