"""Made-up molecules out of rings, chains and functional groups, of which it is known which atom belongs to what.

They obey the valences of organic chemistry and are written as SMILES without a library of chemistry. What is asked of them is made up
too: :mod:`~pellucid_datasets.molecules.questions` plants answers that need sums, either-or, whole groups, or long distances.
"""
