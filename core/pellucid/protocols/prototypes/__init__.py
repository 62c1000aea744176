"""The audit of prototypes: whether they are what they are shown as, and whether they point at what matters."""
