"""Files of the WFDB kind: headers and samples."""
