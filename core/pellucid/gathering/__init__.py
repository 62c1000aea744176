"""What is kept of each fold for the report: computed from data and models, which the report itself never touches."""
