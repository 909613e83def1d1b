"""New structures from old ones: margins, crops, shells, recipes, bone."""
