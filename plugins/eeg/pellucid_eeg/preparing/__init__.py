"""What is done to signals before a model reads them: said once, kept with the data's description, done again to others."""
