"""Pages of the documentation site that are made from the code, one module a kind of page."""
