"""A planning system's DVH held against ours."""
