"""Scans as arrays that know where they lie in the patient, lesions in them, and crops around lesions."""
