"""For authors of components and plugins: contract checks and planted truth."""
