"""Operations on sampled signals that several domains need: filters, other rates, stretches. Arrays with time last, no torch."""
