"""Records and the model to files that a person or a program reads."""
