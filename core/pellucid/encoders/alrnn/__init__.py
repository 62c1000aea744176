"""Almost-linear recurrent networks: dynamics with few linear pieces."""
