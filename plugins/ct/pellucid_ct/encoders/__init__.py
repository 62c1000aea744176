"""Encoders of lesions: named radiomic features, and the three-dimensional residual network to compare with."""
