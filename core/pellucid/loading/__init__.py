"""Tables, folders and what is wrong with them: what loaders of every domain share. The core itself needs none of it."""
