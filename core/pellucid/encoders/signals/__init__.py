"""Networks over any signal: residual ones in one dimension, and what they share."""
