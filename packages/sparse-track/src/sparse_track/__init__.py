"""SparseTT: a Siamese Swin tracker with top-k sparse attention (IJCAI 2022)."""
