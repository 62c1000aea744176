"""Lung lesions on CT: the domain plugin ``ct`` of pellucid."""
