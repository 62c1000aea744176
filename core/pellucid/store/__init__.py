"""Samples prepared once and kept on disk, to be read in any order."""
