"""Protocol files: found, checked strictly, turned into plain records."""
