"""The dataset ``lidc-shapes``: nodules as they were drawn and rated, without their scans."""
