"""What a person would measure on a picture, as registered measures: ``measure(values, spec) -> one number a sample``."""
