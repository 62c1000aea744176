"""Operations on sampled signals that several domains need: filters and other rates. Arrays of shape (channel, time), no torch."""
