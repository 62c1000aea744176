"""The dataset ``lidc-crops``: pixels of nodules inside one reader's contour, as they were handed on without their scans."""
