"""DICOM: series of CT slices to volumes in Hounsfield units, segmentations and structured reports there and back."""
