"""What the latent space of an encoder holds: clusters, neighbours, and how far they follow the labels."""
