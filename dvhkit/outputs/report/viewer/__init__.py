"""The slice viewer of the report: what it needs of a patient, packed into the page."""
