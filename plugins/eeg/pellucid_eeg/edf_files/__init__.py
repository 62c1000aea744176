"""Files of the EDF and BDF kinds: headers, samples, annotations."""
