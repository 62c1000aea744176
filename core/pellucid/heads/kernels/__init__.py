"""Heads that compare a sample with every training sample by kernels."""
