"""From structures to graphs, scaffolds, fingerprints and descriptors."""
