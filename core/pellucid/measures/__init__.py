"""What a person would measure on a picture, as registered measures: ``measure(values, spec) -> one number a sample``.

What is measured on sparse dictionaries stands in :mod:`pellucid.measures.dictionaries` and is not registered.
"""
