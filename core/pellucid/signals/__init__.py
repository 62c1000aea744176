"""Operations on sampled signals that several domains need: filters, bands, spectra, other rates, stretches. Time comes last."""
