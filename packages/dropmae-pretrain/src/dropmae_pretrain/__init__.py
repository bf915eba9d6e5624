"""DropMAE: masked auto-encoding of frame pairs with spatial-attention dropout (Wu et al., CVPR 2023)."""
