"""One file per database: original release format in, tables of edges or sets out."""
