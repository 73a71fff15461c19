# Lets `cimport` see executor._native as a package. The folder's map is in docs/design.md.
