"""From surface to surface: nearest points, gauges, triangles."""
