"""Tables of molecules: datasets."""
