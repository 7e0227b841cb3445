"""Reports on data files: labels, and near-duplicates within and between files. They show no record."""
