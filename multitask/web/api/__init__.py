"""HTTP and JSON: one file per resource, and beside them what all of them stand on."""
