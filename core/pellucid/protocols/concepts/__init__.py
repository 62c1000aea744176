"""The audit of concepts: whether what a model goes by is what people said."""
