"""What codes of a codebook say, on subjects that nothing was learnt from."""
