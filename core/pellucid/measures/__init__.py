"""Measures: of a picture (registered, ``measure(values, spec) -> one number a sample``), and of what a representation knows.

The latter are plain functions of arrays or tensors, for protocols to build on: they know of no head, no encoder, no split.
Those of sparse dictionaries stand in :mod:`pellucid.measures.dictionaries`.
"""
