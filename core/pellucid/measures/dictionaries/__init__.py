"""Measures of sparse dictionaries: tensors in, numbers out. They know no head, no model and no dataset.

Throughout, ``x`` has shape (row, unit), ``reconstruction`` (row, unit), ``codes`` (row, feature) and ``atoms``
(feature, unit). Everything is computed in float64. What is not defined is NaN, with a warning that says why.

One module for one idea, imported by name: ``from pellucid.measures.dictionaries import reconstruction``.

======================  =====================================================================================
reconstruction          explained variance and its many relatives, which do not agree
running_reconstruction  the same over batches, with sums by subject for an interval
sparsity                how many features are on, how often, and which never are; the running form
running                 reconstruction and sparsity at once over batches
matching                do atoms or codes agree with planted ones, or with those of another seed?
independence            do features go on and off together?
hierarchy               leaks between levels, missed parents, purity of labels
downstream              what a model loses when it reads the reconstruction
probing                 concepts from one, two or five features
absorption              features that stay off because another one speaks for them
ablation                targeted probe perturbation, spurious correlation removal
unlearning              features clamped until a topic is forgotten
ravel                   interchange of the features of one attribute
======================  =====================================================================================
"""
