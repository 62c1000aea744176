"""Post-hoc attribution by captum, imported only when used; each method reports its own error."""
