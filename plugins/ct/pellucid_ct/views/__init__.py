"""How lesions, scans and readers' ratings are drawn; the contract of a view stands in :mod:`pellucid.views`."""
