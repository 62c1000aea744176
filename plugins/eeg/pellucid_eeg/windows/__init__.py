"""From continuous recordings to windows that a model learns from: where they lie, what they are of, and where they are kept."""
