"""Recordings of brain waves: what they are, how their electrodes are called, what is wrong with them."""
