"""One verb a file: a path or a case in, a results record out."""
